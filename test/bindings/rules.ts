/** The rules that the binding to every framework keeps. Each has a stage of its own. */

import { expect } from 'vitest'
import { macrotask } from '../../src/async/clock.ts'
import type { Scene } from './scene.ts'

export type Rule = readonly [name: string, check: (scene: Scene) => Promise<void>]

const TIMES = 100

export const rules: readonly Rule[] = [
  [
    'the end is the job’s, not a connection’s, and is told once',
    async ({ stage, client, texts, mount }) => {
      const { jobId } = await client.start({})
      const ends: string[] = []
      const seqs: number[] = []
      const card = await mount({ id: jobId, onEnd: ({ status }) => ends.push(status), onEvent: ({ seq }) => seqs.push(seq) })
      for (const ratio of [0.1, 0.2, 0.3]) {
        await stage.publish(jobId, 'progress', { ratio })
        await expect.poll(texts).toEqual([`running ${ratio}`])
        await stage.cut()
      }
      expect(ends).toEqual([])
      await stage.finish(jobId)
      await expect.poll(texts).toEqual(['succeeded 0.3'])
      await expect.poll(() => ends).toEqual(['succeeded'])
      await card.set({ enabled: false })
      await card.set({ enabled: true })
      await expect.poll(texts).toEqual(['succeeded 0.3'])
      expect(ends).toEqual(['succeeded'])
      expect(seqs).toEqual(seqs.map((_, index) => index + 1))
    }
  ],
  [
    '`enabled` flips a hundred times',
    async ({ stage, texts, mount }) => {
      await stage.publish('42', 'progress', { ratio: 0.1 })
      const card = await mount({ enabled: false })
      await macrotask()
      expect(await stage.counts()).toMatchObject({ open: 0, arrived: { websocket: 0, read: 0 } })
      for (let flip = 0; flip < TIMES; flip += 1) {
        await card.set({ enabled: flip % 2 === 0 })
        if (flip % 5 === 0) await macrotask()
      }
      expect(texts()).toEqual(['unknown -'])
      await card.set({ enabled: true })
      await expect.poll(texts).toEqual(['running 0.1'])
      await stage.publish('42', 'progress', { ratio: 0.2 })
      await expect.poll(texts).toEqual(['running 0.2'])
      expect((await stage.counts()).open).toBe(1)
      await card.set({ enabled: false })
      expect(texts()).toEqual(['unknown -'])
      await expect.poll(async () => (await stage.counts()).open).toBe(0)
    }
  ],
  [
    'the id changes a hundred times, and no job’s state is shown for another’s',
    async ({ stage, texts, mount }) => {
      const ids = Array.from({ length: TIMES }, (_, index) => `job-${index}`)
      await Promise.all(ids.map((id, index) => stage.publish(id, 'progress', { ratio: index })))
      let current = 0
      const wrong: unknown[] = []
      const card = await mount({
        id: ids[0],
        show({ progress }) {
          if (progress && progress.ratio !== current) wrong.push({ current, progress })
          return `${progress?.ratio}`
        }
      })
      for (const [index, id] of ids.entries()) {
        current = index
        await card.set({ id })
        if (index % 5 === 0) await expect.poll(texts).toEqual([`${index}`])
      }
      await expect.poll(texts).toEqual([`${TIMES - 1}`])
      expect(wrong).toEqual([])
      await expect.poll(async () => (await stage.counts()).open).toBe(1)
      await card.set({ id: null })
      expect(texts()).toEqual(['undefined'])
      await expect.poll(async () => (await stage.counts()).open).toBe(0)
    }
  ],
  [
    'new functions restart nothing, and are the ones called',
    async ({ stage, client, texts, mount }) => {
      const { jobId } = await client.start({})
      const called: string[] = []
      const card = await mount({ id: jobId, onEvent: ({ type }) => called.push(`old ${type}`), onEnd: () => called.push('old end') })
      await expect.poll(() => called.at(-1)).toBe('old started')
      await expect.poll(texts).toEqual(['running -'])
      const { arrived } = await stage.counts()
      called.length = 0
      for (let render = 0; render < TIMES; render += 1)
        await card.set({ onEvent: ({ type }) => called.push(`new ${type}`), onEnd: () => called.push('new end'), enabled: true })
      await stage.finish(jobId)
      await expect.poll(() => called).toEqual(['new succeeded', 'new end'])
      expect((await stage.counts()).arrived).toEqual(arrived)
    }
  ],
  [
    'hiding and showing within a task costs nothing on the wire',
    async ({ stage, shown, texts, mount }) => {
      await stage.publish('42', 'progress', { ratio: 0.1 })
      const card = await mount({})
      await expect.poll(() => shown.at(-1)).toMatchObject({ progress: { ratio: 0.1 }, connection: { transport: 'websocket' } })
      const { arrived } = await stage.counts()
      for (let time = 0; time < 10; time += 1) {
        await card.set({ cards: 0 })
        expect(texts()).toEqual([])
        await card.set({ cards: 1 })
      }
      await stage.publish('42', 'progress', { ratio: 0.2 })
      await expect.poll(texts).toEqual(['running 0.2'])
      expect(await stage.counts()).toMatchObject({ open: 1, arrived })
    }
  ],
  [
    'ten cards cost one connection and one read',
    async ({ stage, texts, mount }) => {
      await stage.publish('42', 'progress', { ratio: 0.1 })
      await mount({ cards: 10 })
      await expect.poll(texts).toEqual(Array.from({ length: 10 }, () => 'running 0.1'))
      await expect.poll(stage.counts).toMatchObject({ open: 1, arrived: { websocket: 1, snapshot: 1, read: 0, sse: 0, 'long-poll': 0 } })
    }
  ]
]
