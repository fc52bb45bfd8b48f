/** Tools observe every client of a page. */

import { expect, test, vi } from 'vitest'
import { observe } from '../src/diagnostics.ts'
import type { Client, ClientOptions, JobState, Observation } from '../src/types.ts'
import { elapse } from './client/virtual-time.ts'
import { createWorld, run, useVirtualTime } from './client/world.ts'

useVirtualTime()

test('each diagnostic reaches those who observe, with its client, and `onDiagnostic` too', async () => {
  const shown = vi.spyOn(console, 'error').mockImplementation(() => {})
  const world = createWorld()
  const other = world.another({ onDiagnostic: undefined })
  const seen: [Client, Observation][] = []
  const end = [observe((diagnostic, client) => seen.push([client, diagnostic])), observe(() => expect.unreachable())]
  for (const [index, client] of [world.client, other].entries()) {
    world.log.append(`${index}`, 'succeeded')
    run(client.subscribe(`${index}`))
  }
  await elapse(100)
  expect(world.diagnosticsOf('ended')).toMatchObject([{ job: '0' }])
  expect(seen.filter(([, { type }]) => type === 'ended').map(([client, each]) => [client === other, each])).toMatchObject([
    [false, { job: '0', at: expect.any(Number) }],
    [true, { job: '1' }]
  ])
  expect(shown).toHaveBeenCalledTimes(seen.length)

  const before = seen.length
  for (const each of end) each()
  world.log.append('2', 'succeeded')
  run(other.subscribe('2'))
  await elapse(100)
  expect(seen).toHaveLength(before)
  other.close()
})

test("the state of each subscription reaches those who observe, with the client's options, and never `onDiagnostic`", async () => {
  const onDiagnostic = vi.fn<(...args: unknown[]) => void>()
  const world = createWorld({ onDiagnostic, token: 'secret' })
  const seen: [jobId: string, event: string | undefined, status: JobState['status'], phase: string][] = []
  const given = new Set<ClientOptions>()
  const end = observe((observation, _, options) => {
    given.add(options)
    if (observation.type !== 'job') return
    const { job, event } = observation
    seen.push([job.jobId, event?.type, job.state.status, job.state.connection.phase])
  })
  world.log.append('1', 'started')
  run(world.client.subscribe('1'))
  await elapse(100)
  world.log.append('1', 'succeeded')
  await elapse(100)
  end()
  expect(seen.filter(([, event]) => event !== undefined)).toEqual([
    ['1', 'started', 'running', 'connecting'], // the first read has brought it
    ['1', 'succeeded', 'succeeded', expect.any(String)]
  ])
  expect([seen[0], seen.at(-1)]).toEqual([
    ['1', undefined, 'unknown', 'connecting'],
    ['1', 'succeeded', 'succeeded', 'closed']
  ])
  expect([...given]).toMatchObject([{ token: 'secret', staggerMs: 250 }])
  expect(onDiagnostic.mock.calls.length).toBeGreaterThan(0)
  for (const args of onDiagnostic.mock.calls) expect(args).toEqual([expect.not.objectContaining({ type: 'job' })])
})
