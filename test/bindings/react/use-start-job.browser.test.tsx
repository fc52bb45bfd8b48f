/** What `useStartJob` promises. */

import { type ReactNode, StrictMode } from 'react'
import { expect, test } from 'vitest'
import { JobtailProvider, type UseStartJob, useJob, useStartJob } from '../../../src/react.ts'
import type { Client } from '../../../src/types.ts'
import { createStage, type Stage } from '../stage.ts'
import { clientOf, mount, watchConsole } from './mount.tsx'

/** What the last render has returned. */
let started: UseStartJob<{ pages: number }> | undefined

function Report(): ReactNode {
  started = useStartJob<{ pages: number }>()
  const { start, jobId, isPending, error, cancel } = started
  const { status } = useJob(jobId)
  return (
    <>
      <button type="button" onClick={() => void start({ pages: 3 })}>
        Start
      </button>
      <button type="button" onClick={() => void cancel()}>
        Cancel
      </button>
      <output>{isPending ? 'pending' : (error?.code ?? (jobId ? status : 'idle'))}</output>
    </>
  )
}

const report = (client: Client): ReactNode => (
  <StrictMode>
    <JobtailProvider client={client}>
      <Report />
    </JobtailProvider>
  </StrictMode>
)

function open(client: Client) {
  const { container, unmount } = mount(report(client))
  const click = (name: string): void => [...container.querySelectorAll('button')].find(({ textContent }) => textContent === name)?.click()
  return { click, unmount, shown: () => container.querySelector('output')?.textContent }
}

const starts = async (stage: Stage): Promise<number> => (await stage.counts()).arrived.start

test('a button starts a job, shows it, and cancels it; the functions stay the same', async () => {
  const stage = await createStage()
  const { click, shown } = open(clientOf(stage))
  await expect.poll(shown).toBe('idle')
  const { start, cancel } = started ?? {}
  click('Start')
  await expect.poll(shown).toBe('running')
  expect([started?.start, started?.cancel]).toEqual([start, cancel])
  click('Cancel')
  await expect.poll(shown).toBe('cancelled')
  click('Start')
  await expect.poll(shown).toBe('running')
  await stage.finish(started?.jobId ?? '')
  await expect.poll(shown).toBe('succeeded')
  expect(await starts(stage)).toBe(2)
})

test('a second click while pending starts nothing', async () => {
  const stage = await createStage()
  const { click, shown } = open(clientOf(stage))
  await expect.poll(shown).toBe('idle')
  await stage.set({ stalled: true })
  click('Start')
  click('Start')
  await expect.poll(shown).toBe('pending')
  click('Start')
  const same = [started?.start({ pages: 1 }), started?.start({ pages: 2 })]
  expect(same[0]).toBe(same[1])
  await stage.set({ stalled: false })
  await expect.poll(shown).toBe('running')
  expect(await same[0]).toBe(started?.jobId)
  expect(await starts(stage)).toBe(1)
})

test('a cancel while pending cancels the job once it is known', async () => {
  const stage = await createStage()
  const { click, shown } = open(clientOf(stage))
  await expect.poll(shown).toBe('idle')
  await stage.set({ stalled: true })
  click('Start')
  click('Cancel')
  await expect.poll(shown).toBe('pending')
  expect((await stage.counts()).arrived.cancel).toBe(0)
  await stage.set({ stalled: false })
  await expect.poll(shown).toBe('cancelled')
})

test('a refusal is the error, and the next start is a new one', async () => {
  const stage = await createStage()
  const { click, shown } = open(clientOf(stage, { retry: { baseMs: 1, maxMs: 1, attempts: 1 } }))
  await expect.poll(shown).toBe('idle')
  await stage.set({ http: 'reset' })
  expect(await started?.start({ pages: 1 })).toBeUndefined()
  await expect.poll(shown).toBe('unreachable')
  await started?.cancel() // nothing was started
  await stage.set({ http: 'pass' })
  click('Start')
  await expect.poll(shown).toBe('running')
})

test('an aborted start is no error', async () => {
  const stage = await createStage()
  const { shown } = open(clientOf(stage))
  await expect.poll(shown).toBe('idle')
  await stage.set({ http: 'unanswered' })
  const leave = new AbortController()
  const start = started?.start({ pages: 1 }, { signal: leave.signal })
  await expect.poll(shown).toBe('pending')
  leave.abort()
  expect(await start).toBeUndefined()
  await expect.poll(shown).toBe('idle')
})

test('a start goes on where its component is unmounted, and renders nothing', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const said = watchConsole()
  const { click, shown, unmount } = open(client)
  await expect.poll(shown).toBe('idle')
  await stage.set({ stalled: true })
  click('Start')
  await expect.poll(async () => (await stage.counts()).open).toBe(1) // at least its preflight
  const start = started?.start({ pages: 1 })
  unmount()
  await stage.set({ stalled: false })
  const jobId = await start
  expect(await starts(stage)).toBe(1)
  await stage.finish(jobId ?? '', 'made')
  expect(await client.job(jobId ?? '').result).toBe('made')
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  expect(said).toEqual([])
})
