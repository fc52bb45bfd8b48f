/** How transports are raced: staggered starts, proof by a frame, and a switch to a better one. */

import { describe, expect, test, vi } from 'vitest'
import { page } from './virtual-fetch.ts'
import { elapse, elapseRoughly, settle } from './virtual-time.ts'
import { dying, failing, hanging, mute, type Script, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, NAMES, type Name, run, upTo, useVirtualTime, type World } from './world.ts'

const spies = useVirtualTime()

const all = (script: Script): Record<Name, Script> => ({ websocket: script, sse: script, 'long-poll': script, 'short-poll': script })
const startsOf = (world: World, name: Name): number[] => world.links.filter(({ transport }) => transport === name).map(({ startedAt }) => startedAt)

describe('candidates start', () => {
  test('at 0, 250, 500 and 750 ms, while all of them hang', async () => {
    const world = createWorld({ scripts: all(hanging) })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(1000)
    expect(world.starts).toEqual(['websocket@0', 'sse@250', 'long-poll@500', 'short-poll@750'])
  })

  test('at once where the one before has failed', async () => {
    const world = createWorld({ scripts: { ...all(hanging), websocket: failing('refused', undefined, 20), 'long-poll': failing('status', 504) } })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(1000)
    expect(world.starts).toEqual(['websocket@0', 'sse@20', 'long-poll@270', 'short-poll@271'])
  })

  test('after the given stagger', async () => {
    const world = createWorld({ scripts: all(hanging), staggerMs: 100 })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(500)
    expect(world.starts.map((start) => start.split('@')[1])).toEqual(['0', '100', '200', '300'])
  })

  test('only if they rank above the one that delivers', async () => {
    const world = createWorld({ scripts: { websocket: hanging } })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(6000)
    expect(world.starts.slice(0, 2)).toEqual(['websocket@0', 'sse@250'])
    expect(new Set(world.links.map(({ transport }) => transport))).toEqual(new Set(['websocket', 'sse']))
    expect(startsOf(world, 'sse')).toHaveLength(1)
  })

  test('without the unsupported ones', async () => {
    const world = createWorld()
    world.transports.websocket.isSupported = () => false
    world.log.create('42')
    const client = world.another()
    const job = client.subscribe('42')
    run(job)
    await elapse(50)
    expect(world.starts).toEqual(['sse@0'])
    client.close()
  })

  test('not at all where none is supported', async () => {
    const world = createWorld()
    for (const transport of Object.values(world.transports)) transport.isSupported = () => false
    const loop = run(world.another().subscribe('42'))
    await elapse(50)
    expect(loop.error).toMatchObject({ code: 'unsupported' })
    expect(world.http.asked).toEqual([])
  })
})

describe('a candidate', () => {
  test.each([
    ['that never answers', hanging, 'timeout'],
    ['that opens and delivers nothing', mute, 'mute']
  ] as const)('%s fails after its own timeout', async (_, script, reason) => {
    const world = createWorld({ scripts: all(script), probeTimeoutMs: 1000 })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(1750)
    expect(world.diagnosticsOf('probe-failed').map(({ transport }) => transport)).toEqual([...NAMES])
    expect(world.diagnosticsOf('probe-failed')).toMatchObject(NAMES.map(() => ({ reason })))
    for (const each of world.diagnosticsOf('probe-failed')) if ('afterMs' in each) expect(Math.round(each.afterMs)).toBe(1000)
  })

  test('that loses to another one is reported as abandoned, not as failed', async () => {
    const world = createWorld({ scripts: all(hanging) })
    world.transports.sse.script = serving(world.log, { delayMs: 300 })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(700)
    expect(world.diagnosticsOf('probe-abandoned')).toMatchObject([{ transport: 'long-poll' }])
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket', 'sse'])
  })
})

describe('a better one', () => {
  test('takes over when it has subscribed, not before; nothing is lost or repeated', async () => {
    const world = createWorld()
    world.transports.websocket.script = serving(world.log, { delayMs: 400, subscribedMs: 200 })
    const loop = run(world.client.subscribe('42'))
    for (let seq = 1; seq <= 200; seq += 1) {
      world.log.fill('42', seq)
      await elapse(5)
    }
    world.log.append('42', 'succeeded')
    await elapse(50)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(201) })
    expect(world.diagnosticsOf('live')).toMatchObject([{ transport: 'sse' }])
    expect(world.diagnosticsOf('switched')).toMatchObject([{ transport: 'websocket', from: 'sse' }])
    const [switched] = world.diagnosticsOf('switched')
    const [proved] = world.diagnosticsOf('probe-proved').filter(({ transport }) => transport === 'websocket')
    expect(Math.round((switched?.at ?? 0) - (proved?.at ?? 0))).toBe(200)
    await expectNothingLeft(world)
  })

  test('may repeat events that the other one has delivered', async () => {
    const world = createWorld({ firstLook: false })
    world.transports.websocket.script = (link) =>
      link.after(300, () => {
        link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 })
        // It reads from a cursor that the other link is already past.
        link.push(world.log.subscribed('42', 0), ...world.log.framesAfter('42', 0).frames)
        let seq = world.log.events('42').length
        link.onOver(
          world.log.onChange(() => {
            const told = world.log.framesAfter('42', seq)
            link.push(...told.frames)
            seq = told.seq
          })
        )
      })
    world.log.fill('42', 10)
    const loop = run(world.client.subscribe('42'))
    await elapse(290)
    world.log.fill('42', 15)
    await elapse(50)
    world.log.fill('42', 20)
    await elapse(50)
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
    expect(loop.seqs).toEqual(upTo(20))
  })

  test('that fails changes nothing about the live one', async () => {
    const world = createWorld({ scripts: { websocket: failing('cut', undefined, 2000) } })
    world.log.create('42')
    const job = world.client.subscribe('42')
    run(job)
    await elapse(3000)
    expect(world.diagnosticsOf('lost')).toEqual([])
    expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'sse' })
  })
})

describe('a transport that delivers but does not last', () => {
  test('a WebSocket killed after 200 ms: few tries, then another transport', async () => {
    const world = createWorld()
    world.transports.websocket.script = dying(serving(world.log), 200)
    const loop = run(world.client.subscribe('42'))
    for (let seq = 1; seq <= 60; seq += 1) {
      world.log.fill('42', seq)
      await elapseRoughly(500)
    }
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(61) })
    expect(startsOf(world, 'websocket').length).toBeLessThanOrEqual(4)
    expect(world.diagnosticsOf('demoted')).toMatchObject([{ transport: 'websocket' }])
    expect(world.links.at(-1)?.transport).toBe('sse')
  })

  test('a WebSocket that opens and delivers nothing: fewer and fewer tries beside another transport, and never none', async () => {
    const world = createWorld({ scripts: { websocket: mute } })
    const loop = run(world.client.subscribe('42'))
    for (let seq = 1; seq <= 60; seq += 1) {
      world.log.fill('42', seq)
      await elapseRoughly(500)
    }
    expect(loop.seqs).toEqual(upTo(60))
    expect(world.links.filter(({ transport }) => transport !== 'websocket').map(({ transport }) => transport)).toEqual(['sse'])
    expect(startsOf(world, 'websocket')).toHaveLength(2)
    expect(world.diagnosticsOf('demoted')).toMatchObject([{ transport: 'websocket' }])
    await elapseRoughly(3_600_000)
    expect(startsOf(world, 'websocket').length).toBeLessThanOrEqual(8)
    world.transports.websocket.script = serving(world.log)
    await elapseRoughly(31 * 60_000)
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
  })

  test('a WebSocket that is killed each time, for hours: fewer and fewer tries, and never none', async () => {
    const world = createWorld()
    world.transports.websocket.script = dying(serving(world.log), 200)
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(2 * 3_600_000)
    const tries = startsOf(world, 'websocket')
    expect(tries.length).toBeLessThanOrEqual(12)
    expect((tries.at(-1) ?? 0) - (tries[0] ?? 0)).toBeGreaterThan(3_600_000)
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(4) })
  })

  test('a WebSocket that is killed after its hello, on a quiet job: fewer and fewer tries', async () => {
    const world = createWorld({ firstLook: false })
    for (const transport of Object.values(world.transports)) transport.script = dying(serving(world.log), 50)
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapseRoughly(10 * 60_000)
    // Without backoff there would be ten thousand.
    expect(world.links.length).toBeLessThan(100)
    expect(world.links.length).toBeGreaterThan(15)
  })
})

describe('where no transport delivers', () => {
  test('one warning says what to check, and the client tries for ever, with growing pauses', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const world = createWorld({ scripts: { ...all(failing('network')), sse: failing('content-type', 200) } })
    world.http.faults.events = 'break'
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(50)
    expect(spies.warn).toHaveBeenCalledTimes(1)
    const [[warning]] = spies.warn.mock.calls as unknown as [[string]] // as: called once, as was just checked
    for (const word of ['https://example.test/jobs', ...NAMES, 'content-type', 'CORS']) expect(warning).toContain(word)
    const { connection } = job.state
    expect(connection).toMatchObject({ phase: 'waiting', transport: undefined, attempt: 1 })
    expect(connection.retryAt).toBeGreaterThan(Date.now())
    expect(connection.retryAt).toBeLessThanOrEqual(Date.now() + 250)
    await elapseRoughly(300_000)
    const pauses = world.diagnosticsOf('waiting').map((each) => ('ms' in each ? each.ms : 0))
    expect(pauses.slice(0, 9)).toEqual([125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000])
    expect(loop.state).toBe('running')
    expect(spies.warn).toHaveBeenCalledTimes(1)
  })

  test('one that fails beside another that delivers is worth no warning', async () => {
    const world = createWorld({ scripts: { websocket: failing('refused') }, firstLook: false })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(1000)
    expect(world.diagnosticsOf('live')).toHaveLength(1)
    expect(spies.warn).not.toHaveBeenCalled()
  })

  test('there is one warning, however many links the jobs need', async () => {
    const world = createWorld({ scripts: all(failing('network')), firstLook: false })
    let isFirst = true
    world.transports.websocket.script = (link) => {
      if (isFirst) link.after(10, () => link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 }))
      else link.fail('network')
      isFirst = false
    }
    for (let index = 0; index < 300; index += 1) run(world.client.subscribe(`job-${index}`))
    await elapse(50)
    expect(startsOf(world, 'websocket').length).toBeGreaterThan(2)
    expect(spies.warn).toHaveBeenCalledTimes(1)
  })

  test('the job is unreachable once the attempts are used up, with what was tried', async () => {
    const world = createWorld({ scripts: { ...all(hanging), sse: failing('status', 502) }, retry: { attempts: 3 }, probeTimeoutMs: 1000 })
    world.http.faults.events = 'break'
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(1800)
    expect(loop.state).toBe('running')
    await elapseRoughly(10_000)
    expect(loop.error).toMatchObject({ name: 'JobtailError', code: 'unreachable' })
    for (const word of ['websocket (timeout)', 'sse (502)', 'long-poll (timeout)', 'short-poll (timeout)', '4000 ms'])
      expect(String(loop.error)).toContain(word)
    expect(startsOf(world, 'websocket')).toHaveLength(3)
    expect(job.state).toMatchObject({ error: { code: 'unreachable' }, connection: { phase: 'closed' } })
    await expectNothingLeft(world)
  })

  test('and a new loop tries again', async () => {
    const world = createWorld({ scripts: all(failing('network')), retry: { attempts: 1 } })
    world.http.faults.events = 'break'
    const first = run(world.client.subscribe('42'))
    await elapse(100)
    expect(first.error).toMatchObject({ code: 'unreachable' })
    world.log.fill('42', 3)
    world.transports.sse.script = serving(world.log)
    const second = run(world.client.subscribe('42'))
    await elapse(100)
    expect(second.seqs).toEqual(upTo(3))
  })

  test('the same 4xx from every transport is thrown, whatever the WebSocket got', async () => {
    const world = createWorld({ scripts: { ...all(failing('status', 404)), websocket: failing('refused') } })
    world.http.faults.events = page(404)
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(loop.error).toMatchObject({ code: 'unknown-job', status: 404 })
    expect(world.links).toHaveLength(4)
    await expectNothingLeft(world)
  })

  test.each([
    ['the same 5xx', 503, 503],
    ['different 4xx', 404, 405]
  ])('%s from every transport is waited out', async (_, first, second) => {
    const world = createWorld({ scripts: { ...all(failing('status', first)), sse: failing('status', second), websocket: failing('refused') } })
    world.http.faults.events = page(first)
    world.log.fill('42', 2)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(5000)
    expect(loop.state).toBe('running')
    for (const name of NAMES) world.transports[name].script = serving(world.log)
    await elapseRoughly(20_000)
    expect(loop.seqs).toEqual([1, 2])
  })
})

describe('the first read', () => {
  test('delivers before any transport does', async () => {
    const world = createWorld({ scripts: all(hanging) })
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(15)
    expect(loop.seqs).toEqual(upTo(3))
    expect(job.state.connection.phase).toBe('connecting')
    expect(world.diagnosticsOf('probe-proved')).toEqual([])
  })

  test('is all that a finished job needs: the candidates are closed', async () => {
    const world = createWorld({ scripts: all(hanging) })
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded')
    const loop = run(world.client.subscribe('42'))
    await elapse(15)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(4) })
    expect(world.starts).toEqual(['websocket@0'])
    await expectNothingLeft(world)
    expect(world.diagnosticsOf('probe-abandoned')).toMatchObject([{ transport: 'websocket' }])
    expect(world.diagnosticsOf('ended')).toMatchObject([{ job: '42', status: 'succeeded' }])
  })

  test('is followed by a link without loss or repeat', async () => {
    const world = createWorld({ httpDelayMs: 30 })
    world.transports.websocket.script = serving(world.log, { delayMs: 25 })
    const loop = run(world.client.subscribe('42'))
    for (let seq = 1; seq <= 30; seq += 1) {
      world.log.fill('42', seq)
      await elapse(5)
    }
    expect(loop.seqs).toEqual(upTo(30))
  })

  test.each([
    [401, 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'forbidden'],
    [410, 'history-gone', 'history-gone'],
    [400, 'bad-request', 'bad-request']
  ])("throws the server's %i after one round trip", async (status, code, expected) => {
    const world = createWorld({ scripts: all(hanging) })
    world.http.faults.events = () =>
      new Response(JSON.stringify({ status, code, title: 'no' }), { status, headers: { 'content-type': 'application/problem+json' } })
    const loop = run(world.client.subscribe('42'))
    await elapse(20)
    expect(loop.error).toMatchObject({ name: 'JobtailError', code: expected, status })
    await expectNothingLeft(world)
  })

  test('that is answered by an intermediary changes nothing', async () => {
    const world = createWorld()
    world.http.faults.events = page(403)
    world.log.fill('42', 2)
    const loop = run(world.client.subscribe('42'))
    await elapse(50)
    expect(loop.seqs).toEqual([1, 2])
  })

  test('is not repeated after a pause that somebody asked for: where few requests pass, it would take the place of a candidate', async () => {
    const world = createWorld({ scripts: all(hanging) })
    world.http.faults.events = page(429)
    run(world.client.subscribe('42'))
    await elapse(2000)
    expect(world.diagnosticsOf('waiting')).toMatchObject([{ reason: 'busy' }])
    expect(world.starts.length).toBeGreaterThan(NAMES.length)
    expect(world.http.asked).toHaveLength(1)
  })

  test('is not made with `firstLook: false`', async () => {
    const world = createWorld({ firstLook: false, scripts: all(hanging) })
    world.log.fill('42', 2)
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    expect(world.http.asked).toEqual([])
    expect(loop.seqs).toEqual([])
  })

  test('that hangs delays nothing, and ends when a link is live and the reader has left', async () => {
    const world = createWorld()
    world.http.faults.events = 'hang'
    world.log.fill('42', 2)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(50)
    expect(loop.seqs).toEqual([1, 2])
    job.close()
    await settle()
    expect(world.http.open).toBe(0)
  })
})

describe('a better transport that works later', () => {
  test.each([10_000, 60_000, 600_000])('after %d ms is used within a minute, and nothing is lost', async (afterMs) => {
    const world = createWorld({ scripts: { websocket: failing('refused', undefined, 20), sse: failing('status', 502, 20) } })
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(afterMs)
    expect(world.open.map(({ transport }) => transport)).toEqual(['long-poll'])
    world.transports.websocket.script = serving(world.log)
    for (let seq = 4; seq <= 123; seq += 1) {
      world.log.fill('42', seq)
      await elapseRoughly(500)
    }
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(124) })
  })

  test('is tried with a new token; no token is taken while the best one is live', async () => {
    const token = vi.fn(async () => 'secret')
    const world = createWorld({ token, scripts: { websocket: failing('refused') } })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(100)
    expect(token).toHaveBeenCalledTimes(1)
    await elapseRoughly(6000)
    expect(token).toHaveBeenCalledTimes(2)
    expect(startsOf(world, 'websocket')).toHaveLength(2)
    world.transports.websocket.script = serving(world.log)
    await elapseRoughly(60_000)
    const { length } = token.mock.calls
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
    await elapseRoughly(600_000)
    expect(token).toHaveBeenCalledTimes(length)
  })

  test('and a token source that fails then leave the live link alone', async () => {
    let isFailing = false
    const world = createWorld({
      token() {
        if (isFailing) throw new Error('the session is over')
        return 'secret'
      },
      scripts: { websocket: failing('refused') }
    })
    world.log.create('42')
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    isFailing = true
    await elapseRoughly(120_000)
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: [1] })
    expect(world.diagnosticsOf('lost')).toEqual([])
  })
})
