/** What components leave behind that come, change and go in the middle of everything: nothing. */

import { type ReactNode, StrictMode } from 'react'
import { flushSync } from 'react-dom'
import { expect, test } from 'vitest'
import { JobtailProvider, useJob, useJobEvents } from '../../../src/react.ts'
import type { Client } from '../../../src/types.ts'
import { watchPage } from '../page-resources.ts'
import { createStage, type Stage } from '../stage.ts'
import { clientOf, mount } from './mount.tsx'

const TIMES = 100
const patiently = { timeout: 15_000 }

interface CardProps {
  id: string | null
  enabled?: boolean
}

function Card({ id, enabled }: CardProps): ReactNode {
  const { status } = useJob(id, { enabled, onEvent: () => {}, onEnd: () => {} })
  return `${status} ${useJobEvents(id, { enabled }).length}`
}

const page = (client: Client, card: ReactNode): ReactNode => (
  <StrictMode>
    <JobtailProvider client={client}>{card}</JobtailProvider>
  </StrictMode>
)

/** A page that has mounted React and a job before, and what it holds. What is held for ever, such as React's own listeners, is there by then. */
async function warmUp(stage: Stage) {
  await stage.publish('42', 'started')
  await stage.publish('43', 'started')
  const client = clientOf(stage)
  const held = watchPage()
  const { text, unmount } = mount(page(client, <Card id="42" />))
  await expect.poll(text).toBe('running 1')
  expect(held().listeners).toBeGreaterThan(0) // of the page's life: the counting works
  unmount()
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  const before = held()
  return {
    client,
    async expectNothing() {
      await expect.poll(async () => (await stage.counts()).open, patiently).toBe(0)
      await expect.poll(held, patiently).toEqual(before)
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('`enabled` flipped, and ids changed, a hundred times', async () => {
  const stage = await createStage()
  const { client, expectNothing } = await warmUp(stage)
  const { render, text, unmount } = mount(page(client, <Card id="42" />))
  for (let times = 0; times < TIMES; times += 1) {
    flushSync(() => render(page(client, <Card id="42" enabled={times % 2 === 0} />)))
    if (times % 10 === 0) await pause(times) // some connect in between
  }
  for (let times = 0; times < TIMES; times += 1) {
    flushSync(() => render(page(client, <Card id={[null, '42', '43'][times % 3] ?? null} />)))
    if (times % 10 === 0) await pause(times)
  }
  render(page(client, <Card id="43" />))
  await expect.poll(text).toBe('running 1')
  unmount()
  await expectNothing()
})

const broken = { webSocket: 'refuse', http: 'refuse' } as const
const sound = { webSocket: 'pass', http: 'pass', stalled: false } as const

test('unmounted in every phase', async () => {
  const stage = await createStage()
  const { client, expectNothing } = await warmUp(stage)
  await stage.publish('44', 'succeeded')
  for (let round = 0; round < 5; round += 1) {
    for (const phase of ['idle', 'connecting', 'live', 'waiting', 'closed']) {
      const id = phase === 'closed' ? '44' : '42'
      const came = new Set<string>()
      const Look = (): ReactNode => {
        came.add(useJob(id).connection.phase)
        return <Card id={id} />
      }
      await stage.set(phase === 'waiting' ? broken : { ...sound, stalled: phase === 'connecting' })
      const { unmount } = mount(page(client, <Look />))
      await expect.poll(() => [...came], { interval: 5, ...patiently }).toContain(phase)
      if (round === 2) await stage.cut()
      unmount()
    }
  }
  await stage.set(sound)
  await expectNothing()
})
