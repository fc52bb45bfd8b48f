/** A job's shared state: what it costs, who it is the same for, how it begins, and what is left of it. */

import { describe, expect, test, vi } from 'vitest'
import type { ErrorControl } from '../../src/protocol/frames.ts'
import type { JobSnapshot } from '../../src/types.ts'
import { elapse, settle } from './virtual-time.ts'
import { hanging } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()

const snapshotOf = ({ log }: World, job: string): JobSnapshot => log.snapshot(job)
const askedFor = ({ http }: World): string[] => http.asked.map(({ resource }) => resource)

describe('many who look at a job', () => {
  test('share one object, one connection and one request at the start', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const listeners = Array.from({ length: 50 }, () => vi.fn())
    const jobs = listeners.map(() => world.client.job('42'))
    const leaves = jobs.map((job, index) => job.subscribe(listeners[index] ?? vi.fn()))
    await elapse(100)
    expect(new Set(jobs).size).toBe(1)
    expect(jobs[0]?.state).toMatchObject({ status: 'running', progress: { current: 3 }, connection: { phase: 'live' } })
    expect(askedFor(world)).toEqual(['snapshot'])
    expect(world.links).toHaveLength(1)
    for (const listener of listeners) listener.mockClear()
    world.log.fill('42', 9)
    await elapse(20)
    expect(jobs[0]?.state.progress).toEqual({ current: 9 })
    for (const listener of listeners) expect(listener).toHaveBeenCalledOnce()
    for (const leave of leaves) leave()
    await expectNothingLeft(world)
    expect(jobs[0]?.state).toMatchObject({ status: 'running', progress: { current: 9 }, connection: { phase: 'idle' } })
  })

  test('at another one, while no transport has answered yet, make one request for each', async () => {
    const world = createWorld({ scripts: { websocket: hanging, sse: hanging, 'long-poll': hanging, 'short-poll': hanging } })
    for (const job of ['1', '2']) {
      world.log.fill(job, 1)
      world.client.job(job).subscribe(() => {})
      await elapse(50)
    }
    expect(world.links.length).toBeGreaterThan(0)
    expect(askedFor(world)).toEqual(['snapshot', 'snapshot'])
  })

  test('are told by the events where the snapshot does not come: a path may hold back single answers', async () => {
    const world = createWorld({ httpDelayMs: 25_000 })
    world.log.fill('42', 3)
    const leave = world.client.job('42').subscribe(() => {})
    await elapse(2100)
    expect(world.client.job('42').state).toMatchObject({ status: 'running', progress: { current: 3 }, connection: { phase: 'live' } })
    leave()
    await expectNothingLeft(world)
  })

  test('and at its events, from the same task on, ask for no snapshot', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const subscription = world.client.subscribe('42')
    subscription.onChange(() => {})
    const loop = run(subscription)
    await elapse(100)
    expect(loop.events).toHaveLength(3)
    expect(askedFor(world)).not.toContain('snapshot')
    expect(subscription.state.connection.phase).toBe('live')
    subscription.close()
    await expectNothingLeft(world)
  })

  test('use the connection that a loop over the same job has', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    const leave = world.client.job('42').subscribe(() => {})
    await elapse(100)
    world.log.fill('42', 5)
    await elapse(20)
    expect(loop.seqs).toEqual(upTo(5))
    expect(world.client.job('42').state.progress).toEqual({ current: 5 })
    expect(world.links).toHaveLength(1)
    leave()
  })

  test('hear of a change although another listener throws, and are told once for each registration', async () => {
    const shown = vi.spyOn(console, 'error').mockImplementation(() => {})
    const world = createWorld()
    world.log.fill('42', 1)
    const job = world.client.job('42')
    job.subscribe(() => {
      throw new Error('oh')
    })
    const listener = vi.fn()
    const [leave] = [job.subscribe(listener), job.subscribe(listener)]
    await elapse(100)
    listener.mockClear()
    world.log.fill('42', 2)
    await elapse(20)
    expect(listener).toHaveBeenCalledTimes(2)
    leave?.()
    leave?.()
    listener.mockClear()
    world.log.fill('42', 3)
    await elapse(20)
    expect(listener).toHaveBeenCalledOnce()
    expect(shown).toHaveBeenCalled()
  })
})

describe('the object', () => {
  test('makes no request by itself, and works in parts', async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    const { subscribe } = world.client.job('42')
    const job = world.client.job('42')
    expect(job.jobId).toBe('42')
    expect(job.subscribe === subscribe).toBe(true)
    expect(job.state).toBe(job.state)
    expect(job.state).toMatchObject({ status: 'unknown', connection: { phase: 'idle' } })
    await elapse(1000)
    expect(world.http.asked).toEqual([])
    const leave = subscribe(() => {})
    await elapse(100)
    expect(job.state.status).toBe('running')
    leave()
  })

  test('is another one for another id, another client', () => {
    const world = createWorld()
    const job = world.client.job('42')
    // Not `not.toBe`: it reads `result` to show it.
    expect([world.client.job('42'), world.client.job('43'), world.another().job('42')].map((each) => each === job)).toEqual([true, false, false])
  })

  test('left and taken again in one task (StrictMode) costs nothing', async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    const job = world.client.job('42')
    job.subscribe(() => {})()
    let leave = job.subscribe(() => {})
    await elapse(100)
    for (let round = 0; round < 100; round += 1) {
      leave()
      leave = job.subscribe(() => {})
      await settle()
    }
    expect(world.links).toHaveLength(1)
    expect(askedFor(world)).toEqual(['snapshot'])
    leave()
    await expectNothingLeft(world)
  })

  test('left for longer goes on from where it was, without another snapshot', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.job('42')
    job.subscribe(() => {})
    await elapse(100)
    world.client.job('42').subscribe(() => {})()
    expect(world.links).toHaveLength(1)
    world.log.append('42', 'succeeded', 7)
    await elapse(20)
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7, connection: { phase: 'closed' } })
    await expectNothingLeft(world)
    job.subscribe(() => {})
    await expect(job.result).resolves.toBe(7)
    await elapse(100)
    expect(askedFor(world)).toEqual(['snapshot'])
  })

  test('cancels, and fails as the job does', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.job('42')
    const { result } = job
    await elapse(100)
    void job.cancel()
    await elapse(50)
    expect(askedFor(world)).toContain('cancel')
    world.log.append('42', 'cancelled', { reason: 'by you' })
    await elapse(50)
    await expect(result).rejects.toMatchObject({ name: 'JobFailedError', code: 'cancelled' })
    expect(job.state).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } })
  })
})

describe('a snapshot at the start', () => {
  test('is the state at once, and the job is followed from its cursor without another one', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const initial = snapshotOf(world, '42')
    world.log.fill('42', 5)
    const job = world.client.job('42', { initial })
    expect(job.state).toMatchObject({ status: 'running', progress: { current: 3 }, lastEventId: 'e1-3', connection: { phase: 'idle' } })
    const before = job.state
    expect(world.client.job('42', { initial }).state).toBe(before)
    job.subscribe(() => {})
    await elapse(100)
    expect(askedFor(world)).toEqual([])
    expect(world.links.map(({ request }) => request.jobs[0]?.after)).toEqual(['e1-3'])
    expect(job.state.progress).toEqual({ current: 5 })
  })

  test('of an ended job is all that there is to know: nothing is requested', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const job = world.client.job('42', { initial: snapshotOf(world, '42') })
    const leave = job.subscribe(() => {})
    await elapse(1000)
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7, progress: { current: 3 }, connection: { phase: 'closed' } })
    await expect(job.result).resolves.toBe(7)
    expect(world.http.asked).toEqual([])
    expect(world.links).toEqual([])
    leave()
    await expectNothingLeft(world)
  })

  test('that is older than what is known changes nothing, a newer one does', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const old = snapshotOf(world, '42')
    world.log.fill('42', 5)
    const job = world.client.job('42')
    const leave = job.subscribe(() => {})
    await elapse(100)
    const { state } = job
    world.client.job('42', { initial: old })
    world.client.job('42', { initial: { ...snapshotOf(world, '42'), epoch: 'e0' } })
    expect(job.state).toBe(state)
    leave()
    await elapse(100)
    world.log.append('42', 'succeeded', 7)
    world.client.job('42', { initial: snapshotOf(world, '42') })
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7 })
  })

  test('of another job is none of this one', () => {
    const world = createWorld()
    world.log.fill('1', 3)
    expect(world.client.job('42', { initial: snapshotOf(world, '1') }).state.status).toBe('unknown')
  })

  test.each<[string, unknown, string]>([
    ['no object', 7, 'initial: expected object, got 7'],
    ['no snapshot', { id: '42' }, 'snapshot: epoch: expected a string, got nothing'],
    ['one of a status that there is not', { id: '42', status: 'done', epoch: 'a', seq: 1, cursor: 'a-1' }, 'snapshot: status: expected a string like']
  ])('that is %s is refused', (_, initial, message) => {
    const { client } = createWorld()
    expect(() => client.job('42', { initial } as object)).toThrow(expect.objectContaining({ code: 'bad-request', message: expect.stringContaining(message) }))
  })

  test('and an unknown option, or no id, is refused', () => {
    const { client } = createWorld()
    expect(() => client.job('42', { inital: {} } as object)).toThrow('option: expected one of initial, got "inital"')
    expect(() => client.job('')).toThrow('job id: expected 1 to 256 bytes')
  })
})

const refusal: ErrorControl = { control: 'error', job: '42', status: 403, code: 'forbidden', message: 'no' }

describe('where following fails', () => {
  test('the next who subscribes tries again, for all; what was known stays', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.job('42')
    const first = vi.fn()
    job.subscribe(first)
    const { result } = job
    await elapse(100)
    world.links[0]?.push(refusal)
    await elapse(100)
    expect(job.state).toMatchObject({ status: 'running', error: { name: 'JobtailError', code: 'forbidden' }, connection: { phase: 'closed' } })
    await expect(result).rejects.toMatchObject({ code: 'forbidden' })
    expect(job.result).toBe(result)
    await expectNothingLeft(world)

    first.mockClear()
    const leave = job.subscribe(() => {})
    expect(job.state).toMatchObject({ status: 'running', error: undefined, progress: { current: 3 }, lastEventId: 'e1-3' })
    await elapse(100)
    world.log.append('42', 'succeeded', 7)
    await elapse(50)
    expect(first).toHaveBeenCalled()
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7 })
    await expect(job.result).resolves.toBe(7)
    leave()
  })

  test('asking for the result again makes no request: a page that renders its error would ask for ever', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    const job = world.client.job('42')
    await expect(Promise.all([job.result, elapse(500)])).rejects.toMatchObject({ code: 'unknown-job' })
    const requests = world.http.asked.length
    await expect(job.result).rejects.toMatchObject({ code: 'unknown-job' })
    await elapse(500)
    expect(world.http.asked).toHaveLength(requests)
  })

  test('a closed client says so to everybody', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.job('42')
    job.subscribe(() => {})
    const { result } = job
    await elapse(100)
    world.client.close()
    await expect(result).rejects.toMatchObject({ code: 'closed' })
    await expectNothingLeft(world)
    job.subscribe(() => {})
    await expect(job.result).rejects.toMatchObject({ code: 'closed' })
    expect(job.state.connection.phase).toBe('closed')
  })
})
