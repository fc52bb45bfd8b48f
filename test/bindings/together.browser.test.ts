/** A page with several frameworks at once, on one job. */

import { expect, onTestFinished, test } from 'vitest'
import { angular } from './angular/framework.ts'
import { react } from './react/framework.ts'
import { createScene } from './scene.ts'
import { solid } from './solid/framework.ts'
import { svelte } from './svelte/framework.ts'
import { vue } from './vue/framework.ts'

test('ten components of five frameworks cost one connection and one request at the start', async () => {
  const { stage, client, element, props, texts } = await createScene(vue)
  await stage.publish('42', 'progress', { ratio: 0.1 })
  const ends: string[] = []
  for (const framework of [react, vue, svelte, solid, angular]) {
    const place = element.appendChild(document.createElement('div'))
    const mounted = await framework.mount(place, client, { ...props, cards: 2, onEnd: ({ status }) => ends.push(status) })
    onTestFinished(mounted.unmount)
  }
  const all = (text: string): string[] => Array.from({ length: 10 }, () => text)
  await expect.poll(texts).toEqual(all('running 0.1'))
  await expect.poll(() => client.job('42').state.connection.transport).toBe('websocket')
  await stage.publish('42', 'progress', { ratio: 0.2 })
  await expect.poll(texts).toEqual(all('running 0.2'))
  const { open, arrived } = await stage.counts()
  expect({ open, ...arrived }).toEqual({ open: 1, websocket: 1, snapshot: 1, read: 0, sse: 0, 'long-poll': 0, start: 0, cancel: 0 })
  await stage.publish('42', 'succeeded')
  await expect.poll(texts).toEqual(all('succeeded 0.2'))
  await expect.poll(() => ends).toEqual(all('succeeded'))
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
})
