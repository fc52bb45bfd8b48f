/** When a client connects: not before something is wanted, not afterwards, and what readers, listeners and results each cause. */

import { describe, expect, test, vi } from 'vitest'
import { macrotask } from '../../src/async/clock.ts'
import { elapse, settle } from './virtual-time.ts'
import { hanging } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, run, upTo, useVirtualTime } from './world.ts'

useVirtualTime()

const ALL_HANGING = { websocket: hanging, sse: hanging, 'long-poll': hanging, 'short-poll': hanging }

describe('a subscription', () => {
  test('subscribe, state and an iterator make no request', async () => {
    const world = createWorld()
    const job = world.client.subscribe('42')
    job[Symbol.asyncIterator]()
    expect(job.state).toEqual({
      status: 'unknown',
      progress: undefined,
      result: undefined,
      error: undefined,
      lastEventId: undefined,
      connection: { phase: 'idle', transport: undefined, attempt: 0, retryAt: undefined }
    })
    await elapse(1000)
    expect(world.http.asked).toEqual([])
    expect(world.links).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a given cursor is the lastEventId from the start, `tail` is not', () => {
    const { client } = createWorld()
    expect(client.subscribe('42', { after: 'e1-7' }).state.lastEventId).toBe('e1-7')
    expect(client.subscribe('42', { after: 'tail' }).state.lastEventId).toBeUndefined()
  })

  test.each(['onChange', 'result'] as const)('%s connects', async (what) => {
    const world = createWorld()
    world.log.create('42')
    const job = world.client.subscribe('42')
    if (what === 'onChange') job.onChange(() => {})
    else void job.result
    await elapse(50)
    expect(world.open).toHaveLength(1)
    job.close()
    await expectNothingLeft(world)
  })

  test('disconnects one macrotask after the last reader has left, and not before', async () => {
    const world = createWorld()
    world.log.create('42')
    const job = world.client.subscribe('42')
    const first = job.onChange(() => {})
    const second = job.onChange(() => {})
    await elapse(50)
    first()
    await elapse(50)
    expect(world.open).toHaveLength(1)
    second()
    await Promise.resolve()
    expect(world.open).toHaveLength(1)
    await expectNothingLeft(world)
    expect(job.state.connection.phase).toBe('idle')
  })

  test('left and joined again in one task (StrictMode), it keeps its connection', async () => {
    const world = createWorld()
    world.log.create('42')
    const job = world.client.subscribe('42')
    job.onChange(() => {})()
    const leave = job.onChange(() => {})
    await elapse(50)
    expect(world.links).toHaveLength(1)
    leave()
    job.onChange(() => {})
    await elapse(50)
    expect(world.links).toHaveLength(1)
    expect(world.open).toHaveLength(1)
  })

  test('a second subscription of the job, made while the first is closed, keeps the connection', async () => {
    const world = createWorld()
    world.log.create('42')
    const first = world.client.subscribe('42')
    run(first)
    await elapse(50)
    first.close()
    run(world.client.subscribe('42'))
    await elapse(50)
    expect(world.links).toHaveLength(1)
    expect(world.open).toHaveLength(1)
  })

  test('reconnects from its cursor', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const leave = job.onChange(() => {})
    await elapse(50)
    leave()
    await elapse(10)
    world.log.fill('42', 5)
    job.onChange(() => {})
    await elapse(50)
    expect(world.links.map(({ request }) => request.jobs[0]?.after)).toEqual(['e1-3', 'e1-3'])
    expect(world.http.asked.filter(({ resource }) => resource === 'snapshot')).toHaveLength(1)
    expect(job.state.progress).toEqual({ current: 5 })
  })
})

describe('without a reader', () => {
  test('it reads the snapshot, follows from its cursor, and queues nothing', async () => {
    const world = createWorld()
    world.log.fill('42', 5000)
    const job = world.client.subscribe('42')
    job.onChange(() => {})
    await elapse(15)
    expect(job.state).toMatchObject({ status: 'running', progress: { current: 5000 }, lastEventId: 'e1-5000' })
    await elapse(50)
    expect(world.links[0]?.request.jobs).toMatchObject([{ job: '42', after: 'e1-5000' }])
    world.log.fill('42', 9000)
    await elapse(50)
    expect(job.state).toMatchObject({ progress: { current: 9000 }, lastEventId: 'e1-9000' })
    expect(world.diagnosticsOf('paused')).toEqual([])
  })

  test('the snapshot alone tells the end of a finished job', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const job = world.client.subscribe('42')
    const result = job.result
    await elapse(50)
    await expect(result).resolves.toBe(7)
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7, progress: { current: 3 } })
    expect(world.links).toEqual([])
    await expectNothingLeft(world)
  })

  test('where the snapshot fails, the events tell the state', async () => {
    const world = createWorld()
    world.http.faults.snapshot = 'break'
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const job = world.client.subscribe('42')
    const result = job.result
    await elapse(100)
    await expect(result).resolves.toBe(7)
    await expectNothingLeft(world)
  })

  test('the terminal event settles the result, and the client disconnects', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    job.onChange(() => {})
    const result = job.result
    await elapse(50)
    world.log.append('42', 'failed', { code: 'E1', message: 'no codec' })
    await expect(result).rejects.toMatchObject({ name: 'JobFailedError', code: 'E1', message: 'no codec' })
    expect(job.state).toMatchObject({ status: 'failed', error: { code: 'E1' }, connection: { phase: 'closed' } })
    await expectNothingLeft(world)
  })

  test('the result is one promise, and a rejection of it is never unhandled', async () => {
    const world = createWorld()
    world.log.append('42', 'failed', { code: 'E1', message: 'no codec' })
    const job = world.client.subscribe('42')
    expect(job.result).toBe(job.result)
    await elapse(100)
    expect(job.state.status).toBe('failed')
  })

  test('lost history is no error of the state, whatever `onGap` says', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.subscribe('42', { onGap: 'throw' })
    const leave = job.onChange(() => {})
    await elapse(50)
    leave()
    await elapse(10)
    world.log.fill('42', 50)
    world.log.trim('42', 20)
    job.onChange(() => {})
    await elapse(50)
    expect(job.state).toMatchObject({ error: undefined, progress: { current: 50 } })
    expect(world.diagnosticsOf('gap')).toMatchObject([{ job: '42', missed: 17 }])
  })
})

describe('a reader who comes later', () => {
  test('starts at the beginning, and status and progress never go back', async () => {
    const world = createWorld()
    world.log.fill('42', 30)
    const job = world.client.subscribe('42')
    const seen: unknown[] = []
    job.onChange(() => seen.push(job.state.progress?.current))
    await elapse(50)
    const loop = run(job)
    await elapse(50)
    world.log.fill('42', 32)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(32))
    expect(seen.filter((current) => current !== undefined && Number(current) < 30)).toEqual([])
    expect(job.state.progress).toEqual({ current: 32 })
  })

  test('starts at the given cursor', async () => {
    const world = createWorld()
    world.log.fill('42', 30)
    const job = world.client.subscribe('42', { after: 'e1-10' })
    job.onChange(() => {})
    await elapse(50)
    const loop = run(job)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(30, 11))
  })

  test('gets the whole log, even if the end was known before', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const job = world.client.subscribe('42')
    const result = job.result
    await elapse(50)
    await expect(result).resolves.toBe(7)
    const loop = run(job)
    await elapse(50)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(4) })
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7, connection: { phase: 'closed' } })
    await expectNothingLeft(world)
  })

  test('gets nothing after close()', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded', 7)
    const job = world.client.subscribe('42')
    const result = job.result
    await elapse(50)
    job.close()
    const loop = run(job)
    await elapse(50)
    expect(loop).toMatchObject({ state: 'ended', seqs: [] })
    await expect(result).resolves.toBe(7)
    expect(job.state.status).toBe('succeeded')
  })
})

describe('the result, with a reader,', () => {
  test('settles when the terminal event is received, before the loop takes it', async () => {
    const world = createWorld()
    world.log.fill('42', 5)
    world.log.append('42', 'succeeded', 7)
    const job = world.client.subscribe('42')
    const iterator = job[Symbol.asyncIterator]()
    const first = iterator.next()
    await elapse(50)
    await first
    await expect(job.result).resolves.toBe(7)
    expect(job.state).toMatchObject({ status: 'running', result: undefined, lastEventId: 'e1-1' })
    job.close()
  })

  test('awaited inside the loop settles, even if the buffer is full', async () => {
    const world = createWorld({ bufferSize: 10 })
    world.log.fill('42', 40)
    const job = world.client.subscribe('42')
    const seqs: number[] = []
    let result: unknown
    const loop = (async () => {
      for await (const { seq } of job) {
        seqs.push(seq)
        result ??= await job.result
      }
    })()
    await elapse(100)
    expect(world.diagnosticsOf('paused')).toHaveLength(1)
    world.log.fill('42', 60)
    world.log.append('42', 'succeeded', 7)
    await elapse(200)
    await loop
    expect(result).toBe(7)
    expect(seqs).toEqual(upTo(61))
    expect(job.state).toMatchObject({ status: 'succeeded', lastEventId: 'e1-61' })
    await expectNothingLeft(world)
  })

  test('awaited inside the loop settles before the buffer is full', async () => {
    const world = createWorld({ bufferSize: 10 })
    world.log.fill('42', 2)
    const job = world.client.subscribe('42')
    let seen = 0
    const loop = (async () => {
      for await (const _ of job) {
        seen += 1
        await job.result.catch(() => {})
      }
    })()
    await elapse(50)
    for (let seq = 3; seq <= 80; seq += 1) {
      world.log.fill('42', seq)
      await elapse(5)
    }
    world.log.append('42', 'failed', { code: 'E', message: 'no' })
    await elapse(200)
    await loop
    expect(seen).toBe(81)
  })
})

describe('a cursor at the end already', () => {
  test('ends the loop without an event, with state and result from the snapshot', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const job = world.client.subscribe('42', { after: 'e1-4' })
    const loop = run(job)
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: [] })
    expect(job.state).toMatchObject({ status: 'succeeded', result: 7, progress: { current: 3 }, lastEventId: 'e1-4' })
    await expect(job.result).resolves.toBe(7)
    await expectNothingLeft(world)
  })

  test('an unavailable snapshot is requested again', async () => {
    const world = createWorld()
    world.http.faults.snapshot = 'break'
    world.log.append('42', 'cancelled', { reason: 'by hand' })
    const job = world.client.subscribe('42', { after: 'tail' })
    const loop = run(job)
    await elapse(100)
    expect(loop.state).toBe('running')
    world.http.faults.snapshot = undefined
    await elapse(2000)
    expect(loop.state).toBe('ended')
    await expect(job.result).rejects.toMatchObject({ code: 'cancelled', message: 'job 42 was cancelled: by hand' })
  })

  test('an invalid snapshot is a protocol error', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded')
    world.http.faults.snapshot = () => Response.json({ nonsense: true })
    const loop = run(world.client.subscribe('42', { after: 'tail' }))
    await elapse(100)
    expect(loop.error).toMatchObject({ name: 'JobtailError', code: 'protocol' })
    await expectNothingLeft(world)
  })

  test('a snapshot that says the job still runs is believed: the job is read again, less and less often, until its end', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded')
    world.http.faults.snapshot = () => Response.json({ id: '42', status: 'running', epoch: 'e1', seq: 1, cursor: 'e1-1' })
    const loop = run(world.client.subscribe('42', { after: 'tail' }))
    await elapse(20_000)
    expect(loop).toMatchObject({ state: 'running', error: undefined })
    expect(world.http.asked.length).toBeLessThan(60)
    world.http.faults.snapshot = undefined
    await elapse(40_000)
    expect(loop.state).toBe('ended')
    await expectNothingLeft(world)
  })

  test('a reader that leaves during the snapshot is released', async () => {
    const world = createWorld({ httpDelayMs: 50 })
    world.log.create('42')
    const job = world.client.subscribe('42')
    const leave = job.onChange(() => {})
    await elapse(200)
    world.http.faults.snapshot = 'hang'
    const link = world.open[0]
    link?.push({ control: 'done', job: '42', cursor: 'e1-0' })
    await elapse(10)
    expect(world.http.open).toBe(1)
    leave()
    await expectNothingLeft(world)
  })
})

describe('state', () => {
  test('is frozen, and the same object until something changes', async () => {
    const world = createWorld({ scripts: ALL_HANGING, firstLook: false })
    const job = world.client.subscribe('42')
    const iterator = job[Symbol.asyncIterator]()
    expect(Object.isFrozen(job.state)).toBe(true)
    expect(Object.isFrozen(job.state.connection)).toBe(true)
    const before = job.state
    expect(job.state).toBe(before)
    void iterator.next()
    await settle()
    expect(job.state).not.toBe(before)
    const connecting = job.state
    await elapse(600)
    expect(job.state).toBe(connecting)
    job.close()
  })

  test('changes as events are taken', async () => {
    const world = createWorld()
    world.log.append('42', 'queued')
    world.log.append('42', 'started')
    world.log.append('42', 'progress', { ratio: 0.5 })
    const job = world.client.subscribe('42')
    const iterator = job[Symbol.asyncIterator]()
    const first = iterator.next()
    await elapse(50)
    await first
    expect(job.state).toMatchObject({ lastEventId: 'e1-1', progress: undefined })
    await iterator.next()
    expect(job.state).toMatchObject({ status: 'running', lastEventId: 'e1-2', progress: undefined })
    await iterator.next()
    expect(job.state).toMatchObject({ lastEventId: 'e1-3', progress: { ratio: 0.5 } })
    job.close()
  })

  test('is reported to listeners at most once a task, after every change of the task', async () => {
    const world = createWorld()
    world.log.create('42')
    const job = world.client.subscribe('42')
    const seen: (string | undefined)[] = []
    job.onChange(() => seen.push(job.state.lastEventId))
    await elapse(50)
    seen.length = 0
    world.log.fill('42', 100)
    await elapse(10)
    expect(seen).toEqual(['e1-100'])
  })

  test('is not kept from other listeners by one that throws, and not reported to one that has left', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    const world = createWorld({
      onDiagnostic() {
        throw new Error('diagnostics')
      }
    })
    world.log.fill('42', 2)
    const job = world.client.subscribe('42')
    const told = vi.fn()
    const untold = vi.fn()
    job.onChange(() => {
      throw new Error('listener')
    })
    job.onChange(told)
    job.onChange(untold)()
    const loop = run(job)
    await elapse(50)
    world.log.append('42', 'succeeded')
    await elapse(50)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(3) })
    expect(told).toHaveBeenCalled()
    expect(untold).not.toHaveBeenCalled()
    expect(error).toHaveBeenCalled()
  })

  test('is reported to a function that was added twice until both are removed', async () => {
    const world = createWorld()
    world.log.create('42')
    const job = world.client.subscribe('42')
    const told = vi.fn()
    const leave = job.onChange(told)
    job.onChange(told)
    leave()
    await elapse(50)
    expect(told).toHaveBeenCalled()
    expect(world.open).toHaveLength(1)
  })
})

test('closed before its end, the result rejects with `closed`', async () => {
  const world = createWorld()
  world.log.create('42')
  const job = world.client.subscribe('42')
  const result = job.result
  await elapse(50)
  job.close()
  await expect(result).rejects.toMatchObject({ name: 'JobtailError', code: 'closed' })
  expect(job.state.connection.phase).toBe('closed')
  await macrotask()
  await expectNothingLeft(world)
})

test('followed after its client was closed, it rejects with `closed`', async () => {
  const token = vi.fn(() => 's3cret')
  const world = createWorld({ token })
  const job = world.client.subscribe('42')
  world.client.close()
  await expect(job[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'closed', message: 'the client is closed' })
  await expect(world.client.start({})).rejects.toMatchObject({ code: 'closed' })
  await expect(job.cancel()).rejects.toMatchObject({ code: 'closed' })
  expect(token).not.toHaveBeenCalled()
})
