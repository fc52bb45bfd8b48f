/** What a loop promises: each event once, in order, until the job's end. However it is left, nothing stays behind. */

import { describe, expect, test } from 'vitest'
import { JobtailError } from '../../src/errors.ts'
import type { JobEvent, Subscription } from '../../src/types.ts'
import { elapse } from './virtual-time.ts'
import { dying, failing, hanging, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, run, upTo, useVirtualTime, type World, type WorldOptions } from './world.ts'

useVirtualTime()

test('yields every event once, in order, and ends after the terminal one', async () => {
  const world = createWorld()
  world.log.fill('42', 5)
  const job = world.client.subscribe('42')
  const loop = run(job)
  await elapse(50)
  expect(loop.seqs).toEqual(upTo(5))
  world.log.fill('42', 8)
  world.log.append('42', 'succeeded', { url: '/video' })
  await elapse(50)
  expect(loop.seqs).toEqual(upTo(9))
  expect(loop.state).toBe('ended')
  expect(loop.events.at(-1)).toMatchObject({ type: 'succeeded', data: { url: '/video' } })
  expect(job.state).toMatchObject({ status: 'succeeded', result: { url: '/video' }, lastEventId: 'e1-9', connection: { phase: 'closed' } })
  await expect(job.result).resolves.toEqual({ url: '/video' })
  await expectNothingLeft(world)
})

test('a connection that ends cleanly does not end the job', async () => {
  const world = createWorld()
  world.transports.websocket.script = (link) => {
    serving(world.log)(link)
    link.after(6000, () => link.end())
  }
  world.log.fill('42', 3)
  const loop = run(world.client.subscribe('42'))
  await elapse(5990)
  world.log.fill('42', 4)
  await elapse(50)
  world.log.fill('42', 6)
  await elapse(50)
  expect(loop).toMatchObject({ state: 'running', seqs: upTo(6) })
  expect(world.starts).toEqual(['websocket@0', 'websocket@6000'])
})

test('cut again and again, at any point: no event is lost or repeated', async () => {
  const world = createWorld({ firstLook: false })
  for (const transport of Object.values(world.transports)) transport.script = dying(serving(world.log), 130)
  const loop = run(world.client.subscribe('42'))
  for (let seq = 1; seq <= 100; seq += 1) {
    world.log.fill('42', seq)
    await elapse(35)
  }
  world.log.append('42', 'succeeded')
  await elapse(2000)
  expect(loop).toMatchObject({ state: 'ended', seqs: upTo(101) })
  expect(world.links.length).toBeGreaterThan(5)
})

test.each(['failed', 'cancelled'])('a job that has %s ends the loop with an event', async (type) => {
  const world = createWorld()
  world.log.fill('42', 2)
  world.log.append('42', type, { code: 'E1', message: 'no codec', reason: 'by hand' })
  const job = world.client.subscribe('42')
  const loop = run(job)
  await elapse(50)
  expect(loop).toMatchObject({ state: 'ended', seqs: upTo(3) })
  expect(job.state).toMatchObject({ status: type, error: { name: 'JobFailedError', code: type === 'failed' ? 'E1' : 'cancelled' } })
  await expect(job.result).rejects.toMatchObject({ name: 'JobFailedError', event: { seq: 3, type } })
})

test('event types outside the standard arrive unchanged', async () => {
  const world = createWorld()
  world.log.append('42', 'thumbnail', { url: '/t' })
  const job = world.client.subscribe<{ thumbnail: { url: string } }>('42')
  const iterator = job[Symbol.asyncIterator]()
  const first = iterator.next()
  await elapse(50)
  expect(await first).toMatchObject({ value: { type: 'thumbnail', data: { url: '/t' } } })
  job.close()
})

test('a second iteration throws', () => {
  const job = createWorld().client.subscribe('42')
  job[Symbol.asyncIterator]()
  expect(() => job[Symbol.asyncIterator]()).toThrow('being iterated already')
})

test('several concurrent next() are served in order', async () => {
  const world = createWorld()
  world.log.fill('42', 2)
  world.log.append('42', 'succeeded')
  const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
  const all = Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next(), iterator.next()])
  await elapse(50)
  expect((await all).map(({ value }) => (value as JobEvent | undefined)?.seq)).toEqual([1, 2, 3, undefined, undefined]) // as: an ended iterator has any value
})

interface Phase extends WorldOptions {
  before?(world: World): void
  /** The ms until the phase is reached. */
  ms: number
  /** There are events to take, so that no next() is pending. */
  hasValues?: boolean
  check(world: World, job: Subscription): void
}

const after = (seq: number): { after: string } => ({ after: `e1-${seq}` })

const phases: Record<string, Phase & { subscribe?: { after: string } }> = {
  'no transport answers': {
    scripts: { websocket: hanging, sse: hanging, 'long-poll': hanging, 'short-poll': hanging },
    before: ({ http }) => {
      http.faults.events = 'hang'
    },
    ms: 600,
    check: (world, job) => {
      expect(world.open).toHaveLength(3)
      expect(world.http.open).toBe(1)
      expect(job.state.connection).toMatchObject({ phase: 'connecting' })
    }
  },
  'live, with a better transport still connecting': {
    scripts: { websocket: hanging },
    ms: 1000,
    check: (world, job) => {
      expect(world.open).toHaveLength(2)
      expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'sse' })
    }
  },
  live: { ms: 1000, check: (_, job) => expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'websocket' }) },
  'pausing before the next race': {
    scripts: Object.fromEntries(['websocket', 'sse', 'long-poll', 'short-poll'].map((name) => [name, failing('network')])),
    before: ({ http }) => {
      http.faults.events = 'break'
    },
    retry: { baseMs: 60_000, maxMs: 60_000 },
    ms: 200,
    check: (_, job) => expect(job.state.connection).toMatchObject({ phase: 'waiting' })
  },
  'waiting in the grace period of an unknown job': {
    before: (world) => Object.assign(world, { unknown: true }),
    ms: 200,
    check: (_, job) => expect(job.state.connection).toMatchObject({ phase: 'waiting' })
  },
  'requesting an unknown job': {
    before: (world) => Object.assign(world, { unknown: true }),
    httpDelayMs: 100,
    ms: 300,
    check: (world) => expect(world.http.open).toBe(1)
  },
  'paused for a slow reader': {
    bufferSize: 10,
    before: ({ log }) => log.fill('42', 50),
    ms: 200,
    hasValues: true,
    check: (world) => {
      expect(world.diagnosticsOf('paused')).toHaveLength(1)
      expect(world.open).toEqual([])
    }
  },
  'requesting the snapshot of a job at its end': {
    before: ({ log, http }) => {
      log.append('42', 'succeeded')
      http.faults.snapshot = 'hang'
    },
    subscribe: after(1),
    ms: 200,
    check: (world) => expect(world.http.asked.filter(({ resource, isOpen }) => isOpen && resource === 'snapshot')).toHaveLength(1)
  },
  'pausing before that snapshot is requested again': {
    before: ({ log, http }) => {
      log.append('42', 'succeeded')
      http.faults.snapshot = 'break'
    },
    retry: { baseMs: 60_000, maxMs: 60_000 },
    subscribe: after(1),
    ms: 200,
    check: (world) => expect(world.http.asked.filter(({ resource }) => resource === 'snapshot')).toHaveLength(1)
  }
}

describe.each(Object.entries(phases))('left while %s', (_, { before, ms, hasValues = false, check, subscribe, ...options }) => {
  async function reach(signal?: AbortSignal) {
    const world = createWorld(options)
    before?.(world)
    if (!('unknown' in world)) world.log.create('42')
    const job = world.client.subscribe('42', { ...subscribe, ...(signal ? { signal } : {}) })
    const iterator = job[Symbol.asyncIterator]()
    if (hasValues) {
      const first = iterator.next()
      await elapse(ms)
      await first
    }
    const pending = hasValues ? undefined : iterator.next()
    pending?.catch(() => {})
    if (!hasValues) await elapse(ms)
    check(world, job)
    return { world, job, iterator, pending }
  }
  const done = { done: true, value: undefined }

  test('break', async () => {
    const { world, job, iterator, pending } = await reach()
    await expect(iterator.return?.()).resolves.toEqual(done)
    if (pending) await expect(pending).resolves.toEqual(done)
    await expect(iterator.next()).resolves.toEqual(done)
    await expect(job.result).rejects.toMatchObject({ code: 'closed' })
    expect(job.state.connection.phase).toBe('closed')
    await expectNothingLeft(world)
  })

  test('close()', async () => {
    const { world, job, iterator, pending } = await reach()
    job.close()
    if (pending) await expect(pending).resolves.toEqual(done)
    await expect(iterator.next()).resolves.toEqual(done)
    await expect(job.result).rejects.toBeInstanceOf(JobtailError)
    await expectNothingLeft(world)
  })

  test('signal', async () => {
    const controller = new AbortController()
    const listeners = countListeners(controller.signal)
    const { world, job, iterator, pending } = await reach(controller.signal)
    const reason = { not: 'an error' }
    controller.abort(reason)
    await expect(pending ?? iterator.next()).rejects.toBe(reason)
    await expect(iterator.next()).resolves.toEqual(done)
    await expect(job.result).rejects.toBe(reason)
    await expectNothingLeft(world)
    expect(listeners()).toBe(0)
  })

  test('using, at the end of its scope', async () => {
    const { world, job, pending } = await reach()
    {
      await using scoped = job
      expect(scoped.jobId).toBe('42')
    }
    if (pending) await expect(pending).resolves.toEqual(done)
    await expectNothingLeft(world)
  })

  test('close() of the client', async () => {
    const { world, job, iterator, pending } = await reach()
    world.client.close()
    if (pending) await expect(pending).resolves.toEqual(done)
    await expect(iterator.next()).resolves.toEqual(done)
    await expect(job.result).rejects.toMatchObject({ code: 'closed' })
    await expectNothingLeft(world)
  })
})

/** How many abort listeners the signal has. */
function countListeners(signal: AbortSignal): () => number {
  const listeners = new Set<unknown>()
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (type: string, listener: EventListener, options?: AddEventListenerOptions) => {
    listeners.add(listener)
    addEventListener.call(signal, type, listener, options)
  }
  signal.removeEventListener = (type: string, listener: EventListener) => {
    listeners.delete(listener)
    removeEventListener.call(signal, type, listener)
  }
  signal.addEventListener('abort', () => listeners.clear())
  listeners.clear()
  return () => listeners.size
}

describe('a signal', () => {
  test('aborted before the first next() makes it throw, and nothing is requested', async () => {
    const world = createWorld()
    const reason = new Error('too late')
    const job = world.client.subscribe('42', { signal: AbortSignal.abort(reason) })
    await expect(job[Symbol.asyncIterator]().next()).rejects.toBe(reason)
    await expect(job.result).rejects.toBe(reason)
    expect(world.http.asked).toEqual([])
    expect(world.links).toEqual([])
  })

  test('aborted with events queued drops them, and the loop throws its reason', async () => {
    const world = createWorld()
    world.log.fill('42', 20)
    const controller = new AbortController()
    const iterator = world.client.subscribe('42', { signal: controller.signal })[Symbol.asyncIterator]()
    const first = iterator.next()
    await elapse(50)
    expect(await first).toMatchObject({ value: { seq: 1 } })
    controller.abort()
    await expect(iterator.next()).rejects.toBe(controller.signal.reason)
    await expect(iterator.next()).resolves.toMatchObject({ done: true })
  })

  test('aborted with the terminal event queued makes the loop throw, and the result still settles', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const controller = new AbortController()
    const job = world.client.subscribe('42', { signal: controller.signal })
    const iterator = job[Symbol.asyncIterator]()
    const first = iterator.next()
    await elapse(50)
    await first
    controller.abort(new Error('enough'))
    await expect(iterator.next()).rejects.toThrow('enough')
    await expect(job.result).resolves.toBe(7)
  })

  test('keeps no listener once the job has ended', async () => {
    const world = createWorld()
    const controller = new AbortController()
    const listeners = countListeners(controller.signal)
    world.log.append('42', 'succeeded')
    const loop = run(world.client.subscribe('42', { signal: controller.signal }))
    await elapse(50)
    expect(loop.state).toBe('ended')
    expect(listeners()).toBe(0)
    controller.abort()
    await elapse(10)
    expect(loop.error).toBeUndefined()
  })

  test('has no listener while nobody follows', async () => {
    const world = createWorld()
    world.log.create('42')
    const controller = new AbortController()
    const listeners = countListeners(controller.signal)
    const job = world.client.subscribe('42', { signal: controller.signal })
    expect(listeners()).toBe(0)
    const leave = job.onChange(() => {})
    await elapse(50)
    expect(listeners()).toBe(1)
    leave()
    await elapse(10)
    expect(listeners()).toBe(0)
    controller.abort(new Error('gone'))
    await expect(job[Symbol.asyncIterator]().next()).rejects.toThrow('gone')
  })
})

test('left while the token source is pending: nothing is requested with the token afterwards', async () => {
  const world = createWorld()
  const token = Promise.withResolvers<string>()
  const client = world.another({ token: () => token.promise })
  const job = client.subscribe('42')
  const loop = run(job)
  await elapse(100)
  expect(world.links).toEqual([])
  job.close()
  await elapse(0)
  token.resolve('secret')
  await elapse(100)
  expect(loop.state).toBe('ended')
  expect(world.links).toEqual([])
  expect(world.http.asked).toEqual([])
})
