/** What an error of the server means to one job or to all (PROTOCOL.md §7), and what happens to a connection that breaks the protocol. */

import { describe, expect, test, vi } from 'vitest'
import type { ErrorControl, Frame } from '../../src/protocol/frames.ts'
import { problem } from './virtual-fetch.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { failing, hanging, type Script, serving, type VirtualLink } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, NAMES, run, upTo, useVirtualTime, type World, type WorldOptions } from './world.ts'

const spies = useVirtualTime()

/** Sends this error in place of `subscribed`. */
const saying =
  (...frames: Frame[]): Script =>
  (link) =>
    link.after(10, () => link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 }, ...frames))

const error = (status: number, code: string, more: Partial<ErrorControl> = {}): ErrorControl => ({ control: 'error', status, code, message: 'no', ...more })

describe('401', () => {
  test('on a link opened with the token before is not a second refusal', async () => {
    let tokens = 0
    const world = createWorld({ token: () => `token-${++tokens}`, canUpdate: false, firstLook: false })
    for (const job of ['1', '2']) world.log.append(job, 'queued')
    const { websocket } = world.transports
    for (const name of NAMES) world.transports[name].script = hanging
    websocket.script = serving(world.log)
    const loops = [run(world.client.subscribe('1'))]
    await elapse(50)
    // This transport can't change its jobs in place: the first link is read on while the next one is opened. Both are refused.
    websocket.script = (link) => link.after(10, () => link.push(error(401, 'unauthorized')))
    loops.push(run(world.client.subscribe('2')))
    await elapse(5)
    websocket.script = (link) => link.after(100, () => serving(world.log)(link))
    await elapse(30)
    world.links[0]?.push(error(401, 'unauthorized'))
    await elapse(500)
    for (const loop of loops) expect(loop).toMatchObject({ state: 'running', seqs: [1] })
  })

  /** A server that accepts only some tokens. */
  function guarded(accepts: (token: string | undefined) => boolean, options: WorldOptions = {}): World {
    const world = createWorld(options)
    const serve = serving(world.log)
    for (const name of NAMES)
      world.transports[name].script = (link) => (accepts(link.request.token) ? serve(link) : link.after(10, () => link.push(error(401, 'unauthorized'))))
    world.http.faults.events = () => {
      const token = world.http.asked.at(-1)?.headers.get('authorization')?.slice(7)
      return accepts(token) ? new Response('not here', { status: 404 }) : problem(401, 'unauthorized')()
    }
    world.log.fill('42', 2)
    return world
  }

  test('calls the token source once more, once for all candidates', async () => {
    let tokens = 0
    const world = guarded((token) => token === 'token-2', { token: () => `token-${++tokens}` })
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(loop.seqs).toEqual([1, 2])
    expect(tokens).toBe(2)
  })

  test('throws after a second refusal', async () => {
    let tokens = 0
    const world = guarded(() => false, { token: () => `token-${++tokens}` })
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(loop.error).toMatchObject({ name: 'JobtailError', code: 'unauthorized', status: 401 })
    expect(tokens).toBe(2)
    await expectNothingLeft(world)
  })

  test('of several candidates in one task is one refusal', async () => {
    let tokens = 0
    const world = guarded((token) => token === 'token-2', { token: () => `token-${++tokens}`, staggerMs: 0, firstLook: false })
    const refused: VirtualLink[] = []
    for (const name of NAMES) {
      const { script } = world.transports[name]
      world.transports[name].script = (link) => {
        if (link.request.token === 'token-2') return script(link)
        refused.push(link)
        if (refused.length === NAMES.length) for (const each of refused) each.push(error(401, 'unauthorized'))
      }
    }
    const loop = run(world.client.subscribe('42'))
    await elapse(200)
    expect(loop).toMatchObject({ state: 'running', seqs: [1, 2] })
    expect(tokens).toBe(2)
  })

  test('calls the header source once more too, beside a fixed token', async () => {
    let asked = 0
    const world = createWorld({ token: 'fixed', headers: () => ({ 'x-pass': `pass-${++asked}` }) })
    const serve = serving(world.log)
    const accepts = (headers: Headers | undefined): boolean => headers?.get('x-pass') === 'pass-2'
    for (const name of NAMES) world.transports[name].script = (link) => (accepts(link.request.headers) ? serve(link) : link.push(error(401, 'unauthorized')))
    world.http.faults.events = () => (accepts(world.http.asked.at(-1)?.headers) ? new Response('not here', { status: 404 }) : problem(401, 'unauthorized')())
    world.log.fill('42', 2)
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(loop).toMatchObject({ state: 'running', seqs: [1, 2] })
    expect(asked).toBe(2)
  })

  test('throws at once where there is no source to call', async () => {
    const world = guarded(() => false, { token: 'fixed' })
    const loop = run(world.client.subscribe('42'))
    await elapse(15)
    expect(loop.error).toMatchObject({ code: 'unauthorized' })
  })

  test('is a first refusal again after something was read', async () => {
    let tokens = 0
    let valid = 'token-1'
    const world = guarded((token) => token === valid, { token: () => `token-${++tokens}`, firstLook: false })
    const loop = run(world.client.subscribe('42'))
    for (let expiry = 2; expiry <= 6; expiry += 1) {
      await elapse(100)
      valid = `token-${expiry}`
      world.open[0]?.push(error(401, 'unauthorized'))
    }
    await elapse(100)
    expect(loop.state).toBe('running')
    expect(tokens).toBe(6)
    expect(world.open).toHaveLength(1)
  })

  test('a token source that fails is called again, and its error is never quoted', async () => {
    let asked = 0
    const world = createWorld({
      token() {
        asked += 1
        if (asked < 3) throw new Error('the identity provider is away')
        return 'good'
      }
    })
    world.log.fill('42', 1)
    const loop = run(world.client.subscribe('42'))
    await elapseRoughly(5000)
    expect(loop.seqs).toEqual([1])
  })
})

test.each(['s3cret with blanks', 's3cret\nline', 's3cret€'])('an invalid token (%j) is refused without being quoted', async (token) => {
  const world = createWorld({ token })
  const loop = run(world.client.subscribe('42'))
  await elapse(50)
  expect(loop.error).toMatchObject({ code: 'bad-request' })
  expect(String(loop.error)).toContain('token: expected one or more visible characters up to U+00FF')
  expect(JSON.stringify([String(loop.error), world.diagnostics, spies.warn.mock.calls])).not.toContain('s3cret')
  await expectNothingLeft(world)
})

test.each([{ authorization: 'Bearer s3cret\nx' }, { 'x-key': 's3cret€' }])('invalid headers are refused without being quoted', async (headers) => {
  const world = createWorld({ headers })
  const loop = run(world.client.subscribe('42'))
  await elapse(50)
  expect(loop.error).toMatchObject({ code: 'bad-request', message: expect.stringContaining('headers: ') })
  const { message, cause } = loop.error as Error // as: just checked
  expect(JSON.stringify([message, String(cause), world.diagnostics, spies.warn.mock.calls])).not.toContain('s3cret')
  await expectNothingLeft(world)
})

test('a token appears in no error, diagnostic, warning or URL', async () => {
  const world = createWorld({ token: () => 's3cret', retry: { attempts: 2 } })
  for (const name of NAMES) world.transports[name].script = failing('status', 502)
  world.http.faults.events = 'break'
  const loop = run(world.client.subscribe('42'))
  await elapseRoughly(2000)
  expect(loop.error).toMatchObject({ code: 'unreachable' })
  expect(spies.warn).toHaveBeenCalled()
  expect(world.http.asked[0]?.headers.get('authorization')).toBe('Bearer s3cret')
  const told = [String(loop.error), (loop.error as Error).stack, world.diagnostics, spies.warn.mock.calls, world.http.asked.map(({ url }) => url)] // as: just checked
  expect(JSON.stringify(told)).not.toContain('s3cret')
})

describe('an error of one job', () => {
  test.each([
    [403, 'forbidden', 'forbidden'],
    [410, 'history-gone', 'history-gone'],
    [400, 'bad-request', 'bad-request'],
    [422, 'bad-request', 'bad-request']
  ])("%i is thrown, with the job and the server's message", async (status, code, expected) => {
    const world = createWorld({ firstLook: false })
    world.transports.websocket.script = saying(error(status, code, { job: '42' }))
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(50)
    expect(loop.error).toMatchObject({ name: 'JobtailError', code: expected, status, message: `job 42: the server said ${status} ${code}: no` })
    await expect(job.result).rejects.toBe(loop.error)
    expect(job.state.error).toBe(loop.error)
    await expectNothingLeft(world)
  })

  test('at the end of an answer is no failure of the path', async () => {
    const world = createWorld({ firstLook: false })
    for (const name of NAMES)
      world.transports[name].script = (link) =>
        link.after(10, () => {
          link.push(error(403, 'forbidden', { job: '42' }))
          link.end()
        })
    const loop = run(world.client.subscribe('42'))
    await elapse(50)
    expect(loop.error).toMatchObject({ code: 'forbidden' })
    expect(world.diagnostics.map(({ type }) => type)).not.toContain('probe-failed')
    expect(world.starts).toEqual(['websocket@0'])
    expect(spies.warn).not.toHaveBeenCalled()
    await expectNothingLeft(world)
  })

  test.each([403, 410])('%i in the same task in which every path fails is no failed race: there is no warning', async (status) => {
    const world = createWorld({ staggerMs: 0 })
    const fail: (() => void)[] = []
    for (const name of NAMES) world.transports[name].script = (link) => fail.push(() => link.fail('network'))
    world.http.faults.events = () => {
      for (const each of fail) each()
      return problem(status, 'no')()
    }
    const loop = run(world.client.subscribe('42'))
    await elapse(50)
    expect(loop.error).toMatchObject({ status })
    expect(spies.warn).not.toHaveBeenCalled()
    await expectNothingLeft(world)
  })

  test('leaves the other jobs alone', async () => {
    const world = createWorld()
    world.log.fill('1', 2)
    const good = run(world.client.subscribe('1'))
    await elapse(50)
    const bad = run(world.client.subscribe('2'))
    await elapse(15)
    world.open[0]?.push(error(403, 'forbidden', { job: '2' }))
    await elapse(50)
    world.log.fill('1', 4)
    await elapse(50)
    expect(bad.error).toMatchObject({ code: 'forbidden' })
    expect(good).toMatchObject({ state: 'running', seqs: upTo(4) })
    expect(world.links).toHaveLength(1)
  })
})

describe('an unknown job', () => {
  test('is requested as JSON after 250 ms, with doubling pauses, until it exists', async () => {
    const world = createWorld()
    const loop = run(world.client.subscribe('42'))
    await elapse(1800)
    const at = world.http.asked.map((each) => Math.round(each.at))
    const origin = at[0] ?? 0
    expect(at.map((each) => Math.round((each - origin) / 50) * 50)).toEqual([0, 250, 750, 1800].slice(0, at.length))
    expect(at.length).toBeGreaterThanOrEqual(3)
    world.log.fill('42', 3)
    await elapse(2100)
    expect(loop).toMatchObject({ state: 'running', seqs: upTo(3) })
    expect(world.open).toHaveLength(1)
  })

  test('is thrown at the end of its grace period', async () => {
    const world = createWorld()
    const loop = run(world.client.subscribe('42'))
    await elapse(4900)
    expect(loop.state).toBe('running')
    await elapse(300)
    expect(loop.error).toMatchObject({ code: 'unknown-job', status: 404 })
    expect(world.http.asked.length).toBeLessThan(10)
    await expectNothingLeft(world)
  })

  test('is thrown at once without a grace period', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    const loop = run(world.client.subscribe('42'))
    await elapse(50)
    expect(loop.error).toMatchObject({ code: 'unknown-job' })
  })

  test('that existed before has lost its history', async () => {
    const world = createWorld()
    const loop = run(world.client.subscribe('42', { after: 'e1-3' }))
    await elapse(50)
    expect(loop.error).toMatchObject({ code: 'history-gone', status: 404 })
  })

  test('does not disturb another job, and joins its link once it exists', async () => {
    const world = createWorld()
    world.log.fill('1', 1)
    run(world.client.subscribe('1'))
    await elapse(50)
    const late = run(world.client.subscribe('2'))
    await elapse(400)
    world.log.fill('2', 2)
    await elapse(1000)
    expect(late.seqs).toEqual([1, 2])
    world.log.fill('2', 4)
    await elapse(50)
    expect(late.seqs).toEqual(upTo(4))
    expect(world.links).toHaveLength(1)
  })
})

describe('busy', () => {
  test.each([429, 503])('%i is waited out for at least Retry-After, on the same transport, and no other is tried', async (status) => {
    const world = createWorld({ firstLook: false })
    world.transports.websocket.script = saying(error(status, 'busy', { retryAfterMs: 3000 }))
    world.log.fill('42', 2)
    const loop = run(world.client.subscribe('42'))
    await elapse(2900)
    expect(world.starts).toEqual(['websocket@0'])
    expect(world.open).toEqual([])
    world.transports.websocket.script = serving(world.log)
    await elapse(3200)
    expect(loop.seqs).toEqual([1, 2])
    expect(world.links.map(({ transport }) => transport)).toEqual(['websocket', 'websocket'])
    expect(world.links[1]?.startedAt).toBeGreaterThanOrEqual(3010)
  })

  test('from a lesser candidate makes that candidate the first after the pause', async () => {
    const world = createWorld({ firstLook: false, scripts: { websocket: hanging } })
    world.transports.sse.script = (link) => link.after(10, () => link.push(error(503, 'busy', { retryAfterMs: 1000 })))
    world.log.fill('42', 2)
    run(world.client.subscribe('42'))
    await elapse(270)
    world.transports.sse.script = serving(world.log)
    await elapse(2100)
    expect(world.links.map(({ transport }) => transport).slice(0, 3)).toEqual(['websocket', 'sse', 'sse'])
  })

  test('from the first read pauses the candidates too', async () => {
    const world = createWorld({ scripts: { websocket: hanging } })
    world.http.faults.events = problem(503, 'busy', { 'retry-after': '2' })
    world.log.fill('42', 2)
    const loop = run(world.client.subscribe('42'))
    await elapse(1900)
    expect(world.starts).toEqual(['websocket@0'])
    expect(world.open).toEqual([])
    world.http.faults.events = undefined
    await elapse(3000)
    expect(loop.seqs).toEqual([1, 2])
  })

  test('from a candidate changes nothing about a live link', async () => {
    const world = createWorld()
    world.transports.websocket.script = (link) => link.after(400, () => link.push(error(503, 'busy', { retryAfterMs: 60_000 })))
    world.log.fill('42', 1)
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    world.log.fill('42', 2)
    await elapse(10)
    expect(loop.seqs).toEqual([1, 2])
    expect(world.open.map(({ transport }) => transport)).toEqual(['sse'])
  })
})

describe('bye', () => {
  test('reconnects after a random time, on the same transport, from the cursor', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const world = createWorld()
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    world.open[0]?.push({ control: 'bye', reason: 'shutdown', retryMs: 4000 })
    await elapse(1900)
    expect(world.open).toEqual([])
    world.log.fill('42', 5)
    await elapse(200)
    expect(loop.seqs).toEqual(upTo(5))
    expect(world.starts).toEqual(['websocket@0', 'websocket@2100'])
    expect(world.links[1]?.request.jobs[0]?.after).toBe('e1-3')
    expect(world.diagnosticsOf('lost')).toMatchObject([{ reason: 'bye' }])
  })
})

test('a server that says bye at once, again and again, without a retryMs, does not cause a loop of requests', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  const world = createWorld({ firstLook: false })
  for (const name of NAMES) world.transports[name].script = saying({ control: 'bye', reason: 'shutdown', retryMs: 0 })
  const loop = run(world.client.subscribe('42'))
  await elapse(2000)
  expect(world.links.length).toBeLessThan(6)
  expect(world.diagnosticsOf('waiting').slice(0, 4)).toMatchObject([{ ms: 125 }, { ms: 250 }, { ms: 500 }, { ms: 1000 }])
  expect(loop.state).toBe('running')
})

describe('a server that breaks the protocol', () => {
  const live = async (options: WorldOptions = {}): Promise<{ world: World; link: VirtualLink; loop: ReturnType<typeof run> }> => {
    const world = createWorld(options)
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapse(6000)
    const [link] = world.open
    if (!link) throw new Error('nothing is live')
    return { world, link, loop }
  }

  test('skips an event: the client reconnects from its cursor, and nothing is lost', async () => {
    const { world, link, loop } = await live()
    const [, , third] = world.log.events('42')
    link.push({ ...third, seq: 5, id: 'e1-5' } as Frame) // as: it is an event
    world.log.fill('42', 6)
    await elapse(500)
    expect(loop.seqs).toEqual(upTo(6))
    expect(world.diagnosticsOf('lost')).toMatchObject([{ reason: 'protocol' }])
    expect(world.links[1]?.request.jobs[0]?.after).toBe('e1-3')
  })

  test('sends a malformed frame: the client reconnects from its cursor', async () => {
    const { world, link, loop } = await live()
    link.fail('protocol')
    world.log.fill('42', 6)
    await elapse(500)
    expect(loop.seqs).toEqual(upTo(6))
    expect(world.starts).toHaveLength(2)
  })

  test('has another protocol version: the candidate fails', async () => {
    const world = createWorld({ firstLook: false })
    world.transports.websocket.script = (link) => link.after(10, () => link.push({ control: 'hello', protocol: 2, heartbeatMs: 1000 }))
    world.log.fill('42', 1)
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    expect(loop.seqs).toEqual([1])
    expect(world.open.map(({ transport }) => transport)).toEqual(['sse'])
  })

  test('falls silent: the link is replaced within two and a half heartbeats, by another transport that works', async () => {
    const world = createWorld()
    world.transports.websocket.script = (link) => {
      serving(world.log, { heartbeatMs: 2000 })(link)
      link.after(20, () => {
        link.push = () => {}
      })
    }
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapse(30)
    const [silent] = world.links
    world.log.fill('42', 8)
    expect(silent?.isOpen).toBe(true)
    world.transports.websocket.script = serving(world.log)
    await elapse(5500)
    expect(silent?.isOpen).toBe(false)
    expect(loop.seqs).toEqual(upTo(8))
    expect(world.diagnosticsOf('lost')).toMatchObject([{ reason: 'silent' }])
  })

  test('heartbeats keep a quiet link alive', async () => {
    const world = createWorld()
    world.transports.websocket.script = serving(world.log, { heartbeatMs: 2000 })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapseRoughly(60_000)
    expect(world.links).toHaveLength(1)
  })

  test('thousands of events at once arrive', async () => {
    const { world, loop } = await live({ bufferSize: 100_000 })
    world.log.fill('42', 20_000)
    await elapse(100)
    expect(loop.seqs).toEqual(upTo(20_000))
  })

  test('frames of jobs that nobody follows, and frames after the end, are ignored', async () => {
    const { world, link, loop } = await live()
    world.log.fill('other', 3)
    link.push(world.log.subscribed('other', 0), ...world.log.framesAfter('other', 0).frames, { control: 'done', job: 'other', cursor: 'e1-3' })
    link.push({ control: 'heartbeat' }, { control: 'pong' })
    world.log.append('42', 'succeeded')
    link.push(...world.log.events('42').slice(3))
    await elapse(50)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(4) })
  })
})
