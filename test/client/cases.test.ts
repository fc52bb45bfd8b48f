/** Cases out of public reports of what happens between a page and its server: answers of intermediaries, token sources that hang, slow networks. */

import { describe, expect, test, vi } from 'vitest'
import type { Subscription } from '../../src/types.ts'
import { all, mend, requestCount } from './page-phases.ts'
import { page, problem } from './virtual-fetch.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { failing, hanging, type Script, serving, type VirtualLink, virtualTransport } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, type Loop, NAMES, type Name, run, upTo, useVirtualTime, type World, type WorldOptions } from './world.ts'

const spies = useVirtualTime()

/** From now on every transport does that, and single reads too. Open links are cut. */
function turn(world: World, script: Script, fault: World['http']['faults']['events']): void {
  for (const name of NAMES) world.transports[name].script = script
  world.http.faults.events = fault
  for (const link of world.open) link.fail('cut')
}

interface Running {
  world: World
  job: Subscription
  loop: Loop
}

/** A job that has been followed for ten seconds. */
async function live(options?: WorldOptions): Promise<Running> {
  const world = createWorld(options)
  world.log.fill('42', 3)
  const job = world.client.subscribe('42')
  const loop = run(job)
  await elapseRoughly(10_000)
  expect(job.state.connection.phase).toBe('live')
  return { world, job, loop }
}

describe('a router that answers 404 while containers are replaced', () => {
  const away: [Script, World['http']['faults']['events']] = [failing('status', 404, 10), page(404)]

  test('for three seconds: the client waits, and reports the problem', async () => {
    const { world, job, loop } = await live({ retry: { maxMs: 2000 } })
    turn(world, ...away)
    await elapse(1500)
    expect(loop.state).toBe('running')
    expect(['waiting', 'connecting']).toContain(job.state.connection.phase)
    expect(job.state.connection.problem).toMatchObject({ reason: 'status', status: 404 })
    expect(world.diagnosticsOf('waiting').map((each) => ('reason' in each ? each.reason : ''))).toContain('unreachable')
    await elapse(1500)
    mend(world)
    world.log.fill('42', 5)
    await elapse(5000)
    expect(loop.seqs).toEqual(upTo(5))
    expect(job.state.connection).toMatchObject({ phase: 'live', problem: undefined })
  })

  test('for three minutes: the job is unknown', async () => {
    const { world, loop } = await live({ retry: { maxMs: 5000 } })
    turn(world, ...away)
    await elapseRoughly(170_000)
    expect(loop.state).toBe('running')
    await elapseRoughly(20_000)
    expect(loop.error).toMatchObject({ name: 'JobtailError', code: 'unknown-job', status: 404 })
    await expectNothingLeft(world)
  })

  test('just after this job was started: the URL is right, and the client waits', async () => {
    const world = createWorld({ retry: { maxMs: 2000 }, scripts: { ...all(failing('status', 404, 10)), websocket: failing('refused', undefined, 10) } })
    world.http.faults.events = page(404)
    const starting = world.client.start(7)
    await elapse(100)
    const job = await starting
    const loop = run(job)
    await elapse(3000)
    expect(loop.state).toBe('running')
    expect(job.state.connection.problem).toMatchObject({ reason: 'status', status: 404 })
    mend(world)
    world.log.append(job.jobId, 'succeeded', 7)
    await elapse(5000)
    expect(loop.state).toBe('ended')
  })

  test('in the first race: the URL is wrong, and the job fails at once', async () => {
    const world = createWorld({ scripts: { ...all(failing('status', 404, 10)), websocket: failing('refused', undefined, 10) } })
    world.http.faults.events = page(404)
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    expect(loop.error).toMatchObject({
      code: 'unknown-job',
      status: 404,
      message: expect.stringContaining('every path to https://example.test/jobs answered 404')
    })
    await expectNothingLeft(world)
  })
})

describe('a gateway that answers 401 by itself', () => {
  /** The gateway accepts only this token. Any other gets a 401 with an HTML page. */
  function guarded(valid: () => string, options: WorldOptions = {}): World {
    const world = createWorld(options)
    const serve = serving(world.log)
    for (const name of NAMES)
      world.transports[name].script = (link) => (link.request.token === valid() ? serve(link) : link.after(10, () => link.fail('status', 401)))
    world.log.fill('42', 2)
    return world
  }

  test('to the links: the token source is called once more, once for all', async () => {
    let tokens = 0
    const world = guarded(() => 'token-2', { token: () => `token-${++tokens}`, firstLook: false })
    const loop = run(world.client.subscribe('42'))
    await elapse(200)
    expect(loop).toMatchObject({ state: 'running', seqs: [1, 2] })
    expect(tokens).toBe(2)
  })

  test('to the first read alone: the token source is called, and the read is repeated', async () => {
    let tokens = 0
    const world = createWorld({ token: () => `token-${++tokens}`, scripts: all(hanging) })
    world.log.append('42', 'succeeded', 7)
    world.http.faults.events = () => {
      world.http.faults = {}
      return page(401)()
    }
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: [1] })
    expect(tokens).toBe(2)
    expect(world.http.asked.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  test('again and again: the client tries one more token, then throws', async () => {
    let tokens = 0
    const world = guarded(() => 'none', { token: () => `token-${++tokens}`, firstLook: false })
    const loop = run(world.client.subscribe('42'))
    await elapse(2000)
    expect(loop.error).toMatchObject({ code: 'unauthorized', status: 401 })
    expect(tokens).toBe(2)
    await expectNothingLeft(world)
  })

  test('to a live link whose token has expired: the job goes on with the next token', async () => {
    let valid = 'token-1'
    let tokens = 0
    const world = guarded(() => valid, { token: () => `token-${++tokens}`, firstLook: false })
    const loop = run(world.client.subscribe('42'))
    await elapse(200)
    valid = 'token-2'
    world.open[0]?.fail('status', 401)
    world.log.fill('42', 4)
    await elapse(200)
    expect(loop).toMatchObject({ state: 'running', seqs: upTo(4) })
    expect(tokens).toBe(2)
    expect(world.diagnosticsOf('waiting')).toEqual([])
  })

  test('to a token source that always gives the same token: the client throws at once', async () => {
    const world = guarded(() => 'other', { token: 'fixed' })
    world.http.faults.events = page(401)
    const loop = run(world.client.subscribe('42'))
    await elapse(1500)
    expect(loop.error).toMatchObject({ code: 'unauthorized', status: 401 })
    await expectNothingLeft(world)
  })
})

describe.each([
  [429, 60_000],
  [503, 60_000],
  [429, undefined]
])('a gateway that answers %d, with Retry-After of %s ms', (status, retryAfterMs) => {
  const limited = (): [Script, World['http']['faults']['events']] => [
    failing('status', status, 10, retryAfterMs),
    page(status, retryAfterMs === undefined ? {} : { 'retry-after': `${retryAfterMs / 1000}` })
  ]

  test('in the first race: no transport makes another request before', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const [script, fault] = limited()
    const world = createWorld({ scripts: all(script) })
    world.http.faults.events = fault
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(20)
    const before = requestCount(world)
    expect(before).toBeLessThanOrEqual(2)
    expect(job.state.connection).toMatchObject({ phase: 'waiting', problem: { status } })
    expect(world.diagnosticsOf('waiting')).toMatchObject([{ reason: 'busy' }])
    if (retryAfterMs === undefined) return
    await elapseRoughly(retryAfterMs - 1000)
    expect(requestCount(world)).toBe(before)
    mend(world)
    await elapseRoughly(retryAfterMs + 2000)
    expect(loop.seqs).toEqual(upTo(3))
  })

  test('after a cut: no transport makes another request before', async () => {
    const { world, loop } = await live({ retry: { baseMs: 1, maxMs: 1000 } })
    const before = requestCount(world)
    turn(world, ...limited())
    await elapse(3000)
    if (retryAfterMs === undefined) return expect(requestCount(world) - before).toBeLessThan(40) // with full jitter within a second, less and less often
    expect(requestCount(world) - before).toBeLessThanOrEqual(2)
    await elapseRoughly(retryAfterMs - 4000)
    expect(requestCount(world) - before).toBeLessThanOrEqual(2)
    mend(world)
    await elapseRoughly(retryAfterMs + 5000)
    world.log.fill('42', 5)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(5))
  })

  test('beside a live link: the link stays, and no candidate makes another request before', async () => {
    const world = createWorld({ firstLook: false, scripts: { websocket: failing('status', status, 300, retryAfterMs) } })
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapseRoughly(2000)
    expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'sse' })
    const count = (): number => world.links.filter(({ transport }) => transport === 'websocket').length
    expect(count()).toBe(1)
    await elapseRoughly((retryAfterMs ?? 2000) - 2000)
    expect(count()).toBe(1)
    world.transports.websocket.script = serving(world.log)
    await elapseRoughly(10_000)
    expect(job.state.connection.transport).toBe('websocket')
    expect(loop.seqs).toEqual(upTo(3))
  })
})

describe('a Retry-After of thirty days', () => {
  const MONTH_MS = 30 * 24 * 3_600_000

  test.each([
    ['from a gateway', failing('status', 503, 10, MONTH_MS), page(503, { 'retry-after': '2592000' })],
    [
      'from the server, for all jobs',
      (link) => link.after(10, () => link.push({ control: 'error', status: 503, code: 'busy', message: 'busy', retryAfterMs: MONTH_MS })),
      problem(503, 'busy', { 'retry-after': '2592000' })
    ],
    [
      'from the server, for one job',
      (link) => link.after(10, () => link.push({ control: 'error', job: '42', status: 429, code: 'busy', message: 'busy', retryAfterMs: MONTH_MS })),
      problem(429, 'busy', { 'retry-after': '2592000' })
    ]
  ] as [string, Script, () => Response][])('%s: no storm of requests', async (_, script, fault) => {
    const world = createWorld({ scripts: all(script) })
    world.http.faults.events = fault
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapseRoughly(600_000)
    expect(requestCount(world)).toBeLessThanOrEqual(2)
    expect(loop.state).toBe('running')
    expect(job.state.connection.phase).toBe('waiting')
    expect((job.state.connection.retryAt ?? 0) - (performance.timeOrigin + performance.now())).toBeGreaterThan(MAX_TIMER_MS - 700_000)
  })
})

/** The longest time that a timer can have. */
const MAX_TIMER_MS = 2 ** 31 - 1

describe('a cursor that is lost on the way', () => {
  /** Reads from the oldest event, unless the request is a fresh one, whose cursor can't be lost. */
  const forgetful =
    (world: World): Script =>
    (link) =>
      link.after(10, () => {
        link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 })
        for (const { job, after } of link.jobs) {
          const seq = link.request.isFresh ? world.log.positionOf(job, after) : 0
          link.push(world.log.subscribed(job, seq), ...world.log.framesAfter(job, seq).frames)
        }
      })

  test('the link ends as stale, and the next request is a fresh one', async () => {
    const { world, loop } = await live({ firstLook: false, canUpdate: false })
    for (const name of NAMES) world.transports[name].script = forgetful(world)
    world.log.fill('42', 5)
    world.open[0]?.fail('cut')
    world.log.fill('42', 6)
    await elapse(3000)
    const [lost] = world.links.slice(1)
    expect(lost?.request.isFresh).toBe(false)
    expect(world.diagnosticsOf('lost')).toContainEqual(expect.objectContaining({ reason: 'stale' }))
    expect(world.links.at(-1)?.request.isFresh).toBe(true)
    expect(world.links.length).toBeLessThanOrEqual(4)
    expect(loop.seqs).toEqual(upTo(6))
  })

  test('for ten minutes: then requests are plain again, also those of a poll that goes on', async () => {
    const not = failing('unsupported')
    const world = createWorld({
      firstLook: false,
      canUpdate: false,
      scripts: { websocket: not, sse: not, 'short-poll': not, 'long-poll': (link) => path(link) }
    })
    const path: Script = (link) => (link.request.isFresh ? serving(world.log) : forgetful(world))(link)
    const polls = (): VirtualLink[] => world.links.filter(({ transport }) => transport === 'long-poll')
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42', { after: world.log.cursorAt('42', 1) }))
    await elapseRoughly(590_000)
    expect(polls().map(({ request }) => request.isFresh)).toEqual([false, true])
    await elapseRoughly(30_000)
    expect(polls().map(({ request }) => request.isFresh)).toEqual([false, false])
    world.log.fill('42', 4)
    await elapse(100)
    polls().at(-1)?.fail('cut')
    await elapse(2000)
    expect(polls().map(({ request }) => request.isFresh)).toEqual([false, false, false, true])
    expect(loop.seqs).toEqual(upTo(4, 2))
  })

  test('also in fresh requests: a stream that begins at the first event each time is read to the end, and stays', async () => {
    const { world, job, loop } = await live({ firstLook: false })
    const stubborn: Script = (link) => forgetful(world)({ ...link, jobs: link.jobs, request: { ...link.request, isFresh: false }, isOpen: true })
    for (const name of NAMES) world.transports[name].script = stubborn
    world.log.fill('42', 5)
    world.open[0]?.fail('cut')
    await elapseRoughly(10_000)
    expect(loop.seqs).toEqual(upTo(5))
    expect(job.state.connection.phase).toBe('live')
    expect(world.links.length).toBeLessThanOrEqual(4)
  })

  test('a request that repeats a failed one is a fresh one', async () => {
    const world = createWorld({ firstLook: false, scripts: { websocket: failing('cut', undefined, 10) } })
    world.log.fill('42', 3)
    for (const name of NAMES) world.transports[name].script = failing('network', undefined, 10)
    world.http.faults.events = 'break'
    run(world.client.subscribe('42'))
    await elapse(2000)
    const sse = world.links.filter(({ transport }) => transport === 'sse')
    expect(sse.length).toBeGreaterThan(1)
    expect(sse.map(({ request }) => request.isFresh)).toEqual(sse.map((_, index) => index > 0))
  })
})

describe('a network on which the first frame takes six seconds', () => {
  test('is used in the second race, which waits twice as long', async () => {
    const world = createWorld({ firstLook: false })
    for (const name of NAMES) world.transports[name].script = serving(world.log, { delayMs: 6000 })
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(16_000)
    expect(loop.seqs).toEqual(upTo(3))
    const tries = world.links.filter(({ transport }) => transport === 'websocket')
    expect(tries.length).toBe(2)
    expect(world.diagnosticsOf('probe-failed').filter(({ transport }) => transport === 'websocket')).toMatchObject([{ reason: 'timeout', afterMs: 5000 }])
  })

  test('delivers a finished job by a single read that takes as long', async () => {
    const world = createWorld({ httpDelayMs: 6000, scripts: all(hanging) })
    world.log.append('42', 'succeeded', 7)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(20_000)
    expect(loop).toMatchObject({ state: 'ended', seqs: [1] })
    expect(requestCount(world)).toBeLessThanOrEqual(12)
  })

  test('is waited for from the start the next time, in this page and with its memory', async () => {
    const kept = new Map<string, unknown>()
    const memory = {
      read: async (key: string) => kept.get(key),
      write: async (key: string, value: unknown) => void kept.set(key, value),
      clear: async (key: string) => void kept.delete(key)
    }
    const world = createWorld({ firstLook: false, memory })
    for (const name of NAMES) world.transports[name].script = serving(world.log, { delayMs: 6000 })
    world.log.fill('42', 3)
    const first = run(world.client.subscribe('42'))
    await elapseRoughly(16_000)
    expect(first.seqs).toEqual(upTo(3))
    world.client.close()
    const before = world.diagnosticsOf('probe-failed').length
    const next = world.another()
    const loop = run(next.subscribe('42'))
    await elapseRoughly(6500)
    expect(loop.seqs).toEqual(upTo(3))
    expect(world.diagnosticsOf('probe-failed').length).toBe(before)
    next.close()
  })
})

describe('a token source', () => {
  test('that hangs is a failure: reported, retried and counted. When it answers later, the job goes on', async () => {
    let asks = 0
    let isBack = false
    const world = createWorld({
      token() {
        asks += 1
        return isBack ? 'good' : new Promise(() => {})
      }
    })
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapseRoughly(5100)
    expect(world.diagnosticsOf('probe-failed')).toMatchObject([{ transport: 'token', reason: 'timeout' }])
    expect(world.diagnosticsOf('waiting')).toMatchObject([{ reason: 'unreachable' }])
    await elapseRoughly(20_000)
    expect(asks).toBeGreaterThanOrEqual(2)
    expect(job.state.connection).toMatchObject({ attempt: expect.any(Number), problem: { transport: 'token', reason: 'timeout' } })
    expect(job.state.connection.attempt).toBeGreaterThanOrEqual(1)
    expect(requestCount(world)).toBe(0)
    isBack = true
    await elapseRoughly(45_000)
    expect(loop.seqs).toEqual(upTo(3))
    expect(job.state.connection).toMatchObject({ phase: 'live', problem: undefined })
  })

  test('that hangs uses up the attempts', async () => {
    const world = createWorld({ token: () => new Promise(() => {}), probeTimeoutMs: 50, retry: { attempts: 3, baseMs: 10, maxMs: 10 } })
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    expect(loop.error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('token (timeout)') })
    expect(requestCount(world)).toBe(0)
    await expectNothingLeft(world)
  })

  test('that hung is called again, and its late token is used by nobody', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const answers: ((token: string) => void)[] = []
    const world = createWorld({ token: () => new Promise<string>((resolve) => answers.push(resolve)), retry: { baseMs: 60_000, maxMs: 60_000 } })
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(5250)
    answers[0]?.('too late')
    await elapse(50)
    expect(requestCount(world)).toBe(0)
    await elapseRoughly(30_000)
    expect(answers).toHaveLength(2)
    answers.at(-1)?.('good')
    await elapse(100)
    expect(loop.seqs).toEqual(upTo(3))
    expect(world.links.map(({ request }) => request.token)).not.toContain('too late')
  })

  test('that gave an invalid token fails its caller, and not the next one', async () => {
    let token = 'not a token\n'
    const world = createWorld({ token: () => token, retry: { attempts: 1 } })
    world.log.fill('42', 3)
    const first = run(world.client.subscribe('42'))
    await elapse(50)
    expect(first.error).toMatchObject({ code: 'bad-request' })
    token = 'good'
    const before = world.diagnosticsOf('waiting').length
    const second = run(world.client.subscribe('42'))
    await elapse(50)
    expect(second).toMatchObject({ state: 'running', seqs: upTo(3) })
    expect(world.diagnosticsOf('waiting').length).toBe(before)
  })
})

test("a job subscribed to in the moment in which another job's only path ended with an error begins anew", async () => {
  const world = createWorld({ firstLook: false, canUpdate: false, retry: { attempts: 1 } })
  for (const name of NAMES.slice(1)) world.transports[name].isSupported = () => false
  const serve = serving(world.log)
  world.log.fill('43', 2)
  world.transports.websocket.script = (link) =>
    link.jobs[0]?.job === '43'
      ? serve(link)
      : link.after(10, () => {
          link.push({ control: 'error', job: '42', status: 403, code: 'forbidden', message: 'no' })
          link.end()
        })
  let second: Loop | undefined
  const first = world.client.subscribe('42')
  first.result.catch(() => {
    second = run(world.client.subscribe('43'))
  })
  run(first)
  await elapse(500)
  expect(second).toMatchObject({ state: 'running', seqs: upTo(2) })
  expect(world.diagnosticsOf('waiting')).toEqual([])
})

test('the first read is repeated after a 401: a finished job is there at once although every transport hangs', async () => {
  let tokens = 0
  const world = createWorld({ token: () => `token-${++tokens}`, scripts: all(hanging) })
  world.log.append('42', 'succeeded', 7)
  world.http.faults.events = () => {
    world.http.faults = {}
    return problem(401, 'unauthorized')()
  }
  const loop = run(world.client.subscribe('42'))
  await elapse(100)
  expect(loop).toMatchObject({ state: 'ended', seqs: [1] })
  expect(world.http.asked.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer token-1', 'Bearer token-2'])
})

describe('a transport that is available only at times', () => {
  /** Makes the best transport, or the named one, unavailable at first. */
  function flipping(options: WorldOptions = {}, name: Name = 'websocket'): { world: World; flip(isAvailable: boolean): void; listeners: Set<() => void> } {
    const world = createWorld(options)
    world.log.fill('42', 3)
    const listeners = new Set<() => void>()
    let isThere = false
    Object.assign(world.transports[name], {
      availability: {
        get isAvailable() {
          return isThere
        },
        onChange(listener: () => void) {
          listeners.add(listener)
          return () => listeners.delete(listener)
        }
      }
    })
    return {
      world,
      listeners,
      flip(isAvailable) {
        isThere = isAvailable
        for (const listener of [...listeners]) listener()
      }
    }
  }

  test('is not tried before, and at once when it becomes available; it takes over, since it ranks higher', async () => {
    const { world, flip, listeners } = flipping()
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapseRoughly(20_000)
    expect(world.links.map(({ transport }) => transport)).toEqual(['sse'])
    flip(true)
    await elapse(50)
    expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'websocket' })
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
    expect(loop.seqs).toEqual(upTo(3))
    // It becomes unavailable, and its connection is cut.
    flip(false)
    world.open[0]?.fail('cut')
    await elapse(2000)
    expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'sse' })
    expect(world.links.map(({ transport }) => transport)).toEqual(['sse', 'websocket', 'sse'])
    job.close()
    expect(listeners.size).toBe(1)
    await elapse(50)
    expect(listeners.size).toBe(0)
  })

  /** The first transport is the only one that is supported. */
  const alone = (world: World): void => {
    for (const name of NAMES.slice(1)) world.transports[name].isSupported = () => false
  }

  test('and is the only one is waited for, and tried at once when it becomes available', async () => {
    const { world, flip } = flipping({ firstLook: false })
    alone(world)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapseRoughly(60_000)
    expect(world.links).toEqual([])
    expect(loop.state).toBe('running')
    flip(true)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(3))
  })

  test('and becomes available during the first read is tried at once', async () => {
    const { world, flip } = flipping({ httpDelayMs: 2000 })
    alone(world)
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(world.http.open).toBe(1)
    flip(true)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(3))
    await elapse(10_000)
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
  })

  test('and becomes available during a pause is tried at once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const { world, flip } = flipping({ firstLook: false, retry: { baseMs: 60_000, maxMs: 60_000 } })
    for (const name of NAMES.slice(1)) world.transports[name].script = failing('network')
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(1000)
    expect(job.state.connection.phase).toBe('waiting')
    flip(true)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(3))
    expect(job.state.connection.transport).toBe('websocket')
  })

  test('and becomes unavailable before its turn in a race is skipped', async () => {
    const { world, flip } = flipping({ firstLook: false }, 'sse')
    flip(true)
    world.transports.websocket.script = hanging
    run(world.client.subscribe('42'))
    await elapse(100)
    flip(false)
    await elapse(500)
    expect(world.starts).toEqual(['websocket@0', 'long-poll@250'])
  })
})

describe('a pause is reported once, with its length and its reason', () => {
  const waits = (world: World): unknown[] => world.diagnosticsOf('waiting').map((each) => ('ms' in each ? { ms: each.ms, reason: each.reason } : each))

  test.each([
    ['no transport delivers', 'unreachable', (world: World) => turn(world, failing('network'), 'break')],
    ['the server is busy', 'busy', (world: World) => turn(world, failing('status', 503, 0, 5000), 'break')],
    ['the server says bye', 'bye', (world: World) => world.open[0]?.push({ control: 'bye', reason: 'deploy', retryMs: 5000 })]
  ])('%s', async (_, reason, act) => {
    const { world } = await live({ firstLook: false })
    act(world)
    await elapse(100)
    const told = waits(world)
    expect(told.at(-1)).toEqual({ ms: expect.any(Number), reason })
    expect(told.filter((each) => (each as { reason: string }).reason === reason).length).toBeGreaterThan(0) // as: made above
    if (reason !== 'unreachable') expect(told).toHaveLength(1)
  })

  test('the connection did not last', async () => {
    const world = createWorld({ firstLook: false })
    world.log.fill('42', 3)
    run(world.client.subscribe('42'))
    await elapse(100)
    world.open[0]?.fail('cut')
    await elapse(10)
    expect(waits(world)).toEqual([{ ms: expect.any(Number), reason: 'unstable' }])
    expect(spies.warn).not.toHaveBeenCalled()
  })

  test('a second time where the server asks for a longer pause in the middle of it', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const world = createWorld({ httpDelayMs: 300, scripts: all(failing('network')), retry: { baseMs: 10_000 } })
    world.http.faults.events = page(503, { 'retry-after': '60' })
    const job = world.client.subscribe('42')
    run(job)
    await elapse(200)
    expect(waits(world)).toEqual([{ ms: 5000, reason: 'unreachable' }])
    await elapse(200)
    expect(waits(world).slice(1)).toEqual([{ ms: 90_000, reason: 'busy' }])
    expect((job.state.connection.retryAt ?? 0) - performance.timeOrigin - performance.now()).toBeGreaterThan(89_000)
  })
})

describe('a session that expired at the single sign-on proxy', () => {
  /** What `fetch` makes of a redirect to another origin. */
  const redirected = failing('network', undefined, 10)

  test('is reported where a single read finds the redirect: in a diagnostic, in the state, and once on the console. The job goes on after a new login', async () => {
    const readOnce = virtualTransport('read-once', [], failing('redirected', 302, 10))
    const world = createWorld({ firstLook: false, backend: { transports: [], readOnce }, retry: { maxMs: 2000 } })
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapseRoughly(10_000)
    for (const name of NAMES) world.transports[name].script = redirected
    world.open[0]?.fail('cut')
    await elapse(4000)
    expect(loop.state).toBe('running')
    expect(job.state.connection).toMatchObject({ problem: { reason: 'redirected', transport: 'read-once' } })
    expect(world.diagnosticsOf('probe-failed')).toContainEqual(expect.objectContaining({ transport: 'read-once', reason: 'redirected' }))
    expect(spies.warn).toHaveBeenCalledTimes(1)
    expect(String(spies.warn.mock.calls[0])).toContain('session')
    for (const name of NAMES) world.transports[name].script = serving(world.log)
    world.log.fill('42', 6)
    await elapse(5000)
    expect(loop.seqs).toEqual(upTo(6))
    expect(job.state.connection.problem).toBeUndefined()
  })
})
