/** Starts and cancels jobs, and rejects invalid arguments before any request. */

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { jobtailBackend } from '../../src/backend/jobtail.ts'
import { JobtailError, TransportError } from '../../src/errors.ts'
import { createOperations, type OperationsOptions } from '../../src/operations.ts'
import { page, problem } from './virtual-fetch.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { createWorld, expectNothingLeft, run, useVirtualTime } from './world.ts'

useVirtualTime()

interface Outcome<T> {
  value?: T
  error?: unknown
}

/** How the promise has settled. */
function watch<T>(promise: Promise<T>): Outcome<T> {
  const outcome: Outcome<T> = {}
  promise.then(
    (value) => {
      outcome.value = value
    },
    (error) => {
      outcome.error = error
    }
  )
  return outcome
}

/** How the promise has settled by then. */
async function settled<T>(promise: Promise<T>, ms = 100): Promise<Outcome<T>> {
  const outcome = watch(promise)
  await (ms > 1000 ? elapseRoughly(ms) : elapse(ms))
  return outcome
}

describe('start', () => {
  test('posts the input and follows the job from its first event', async () => {
    const world = createWorld({ token: () => 's3cret', headers: { 'x-own': 'yes' } })
    const { value: job } = await settled(world.client.start({ video: 7 }))
    expect(job?.jobId).toBe('started-1')
    const [asked] = world.http.asked
    expect(asked).toMatchObject({ resource: 'start', body: '{"video":7}' })
    expect(asked?.url.href).toBe('https://example.test/jobs')
    expect(Object.fromEntries(asked?.headers ?? [])).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/json',
      authorization: 'Bearer s3cret',
      'x-own': 'yes',
      'idempotency-key': expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
    })
    expect(world.links).toEqual([])
    if (!job) throw new Error('not started')
    const loop = run(job)
    await elapse(50)
    expect(loop.events).toMatchObject([{ type: 'queued', seq: 1 }])
  })

  test('repeats the request with the same key until it is answered', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5) // or two tries could come within the first 20 ms
    const world = createWorld()
    const answers = [page(502), page(429), page(425), problem(503, 'busy', { 'retry-after': '1' })]
    world.http.faults.start = 'break'
    const outcome = watch(world.client.start(1))
    await elapse(20)
    world.http.faults.start = () => {
      const answer = answers.shift() ?? page(500)
      if (answers.length === 0) world.http.faults.start = undefined
      return answer()
    }
    await elapseRoughly(20_000)
    expect(outcome.value?.jobId).toBe('started-1')
    const keys = world.http.asked.map(({ headers }) => headers.get('idempotency-key'))
    expect(keys).toHaveLength(6)
    expect(new Set(keys).size).toBe(1)
  })

  test('has a random key for each start, or the given one', async () => {
    const world = createWorld()
    await settled(world.client.start(1))
    await settled(world.client.start(1))
    await settled(world.client.start(1, { idempotencyKey: 'mine' }))
    const keys = world.http.asked.map(({ headers }) => headers.get('idempotency-key'))
    expect(new Set(keys).size).toBe(3)
    expect(keys[2]).toBe('mine')
  })

  test.each([
    [400, 'bad-request', 'bad-request'],
    [401, 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'forbidden'],
    [422, 'bad-request', 'bad-request']
  ])('%i is thrown', async (status, code, expected) => {
    const world = createWorld()
    world.http.faults.start = problem(status, code)
    const { error } = await settled(world.client.start(1))
    expect(error).toMatchObject({ name: 'JobtailError', code: expected, status, message: `start a job: the server said ${status} ${code}: no` })
    expect(world.http.asked).toHaveLength(1)
    await expectNothingLeft(world)
  })

  test('calls the token source once more after a 401', async () => {
    let tokens = 0
    const world = createWorld({ token: () => `token-${++tokens}` })
    world.http.faults.start = problem(401, 'unauthorized')
    const { error } = await settled(world.client.start(1), 1000)
    expect(error).toMatchObject({ code: 'unauthorized' })
    expect(tokens).toBe(2)
  })

  test('throws a 404 page of an intermediary, and takes no page with 200 as a start', async () => {
    const world = createWorld()
    world.http.faults.start = page(404)
    expect((await settled(world.client.start(1))).error).toMatchObject({ code: 'unknown-job', status: 404 })
    world.http.faults.start = page(200)
    expect((await settled(world.client.start(1))).error).toMatchObject({ code: 'protocol', status: 200 })
    world.http.faults.start = () => Response.json({ hello: 'world' }, { status: 202 })
    expect((await settled(world.client.start(1))).error).toMatchObject({ name: 'JobtailError', code: 'protocol' })
  })

  const nothing = (headers: Record<string, string>) => (): Response => new Response(null, { status: 201, headers })

  test.each([
    ['the id alone', () => Response.json({ id: '42' }, { status: 201 }), '42'],
    ['an id that is a number', () => Response.json({ id: 42, state: 'new' }), '42'],
    ['nothing but a Location', nothing({ location: '/api/jobs/a%2Fb' }), 'a/b'],
    ['a Location of a framework that names a content type', nothing({ location: 'https://other.test/jobs/42/?by=post', 'content-type': 'text/html' }), '42'],
    ['an id, and a Location elsewhere', () => Response.json({ id: '42' }, { headers: { location: '/queue/7' } }), '42']
  ])('takes an answer with %s', async (_, answer, id) => {
    const world = createWorld()
    world.http.faults.start = answer
    expect((await settled(world.client.start(1))).value?.jobId).toBe(id)
    expect(world.client.jobs().state).toMatchObject([{ id }])
  })

  test.each([
    ['neither', () => Response.json({ job: '42' }), 'begins {"job":"42"}'],
    ['an id that can be none', () => Response.json({ id: { a: 1 } }), 'expected'],
    ['a Location that ends with no id', nothing({ location: '/jobs/42/events' }), 'expected JSON with an id, or a Location that ends with it'],
    ['a malformed Location', nothing({ location: '/jobs/%' }), '201']
  ])('throws an answer with %s', async (_, answer, message) => {
    const world = createWorld()
    world.http.faults.start = answer
    const { error } = await settled(world.client.start(1))
    expect(error).toMatchObject({ code: 'protocol', message: expect.stringContaining(message) })
    expect(world.client.jobs().state).toEqual([])
    expect(world.http.asked).toHaveLength(1)
  })

  test('asks again where a page comes in place of a snapshot', async () => {
    const world = createWorld({ firstLook: false })
    world.log.append('1', 'succeeded', 'done')
    world.http.faults.snapshot = page(200)
    const loop = run(world.client.subscribe('1', { after: world.log.cursorAt('1', 1) }))
    await elapse(300)
    expect(loop.state).toBe('running')
    world.http.faults.snapshot = undefined
    await elapse(3000)
    expect(loop).toMatchObject({ state: 'ended', events: [] })
  })

  test('rejects once the given number of attempts is used up', async () => {
    const world = createWorld({ retry: { attempts: 3 } })
    world.http.faults.start = 'break'
    const { error } = await settled(world.client.start(1), 5000)
    expect(error).toMatchObject({ code: 'unreachable' })
    expect(world.http.asked).toHaveLength(3)
  })

  test('repeats a request that hangs', async () => {
    const world = createWorld()
    world.http.faults.start = 'hang'
    const outcome = watch(world.client.start(1))
    await elapseRoughly(20_000)
    expect(world.http.asked).toHaveLength(1)
    world.http.faults.start = undefined
    await elapseRoughly(20_000)
    expect(outcome.value?.jobId).toBe('started-1')
  })

  test.each(['while it is asked', 'while it waits'])('an abort %s rejects with its reason, and leaves nothing', async (when) => {
    const world = createWorld({ retry: { baseMs: 60_000, maxMs: 60_000 } })
    world.http.faults.start = when === 'while it waits' ? 'break' : 'hang'
    const controller = new AbortController()
    const outcome = watch(world.client.start(1, { signal: controller.signal }))
    await elapse(100)
    controller.abort('enough')
    await elapse(0)
    expect(outcome.error).toBe('enough')
    await expectNothingLeft(world)
  })

  test('ends when the client is closed', async () => {
    const world = createWorld()
    world.http.faults.start = 'hang'
    const outcome = watch(world.client.start(1))
    await elapse(20)
    world.client.close()
    await elapse(0)
    expect(outcome.error).toMatchObject({ code: 'closed' })
    await expectNothingLeft(world)
  })

  test('rejects input that is no JSON value, without a request', async () => {
    const world = createWorld()
    const loop: { self?: unknown } = {}
    loop.self = loop
    expect((await settled(world.client.start(loop))).error).toMatchObject({ code: 'bad-request', message: expect.stringContaining('expected a JSON value') })
    for (const input of [10n, () => 1, Symbol('a'), { toJSON: () => undefined }])
      expect((await settled(world.client.start(input))).error).toMatchObject({ code: 'bad-request' })
    expect(world.http.asked).toEqual([])
  })

  test('without input sends no body and no type: a body parser in front of a server takes it for no JSON', async () => {
    const world = createWorld()
    await settled(world.client.start(undefined))
    expect(world.http.asked[0]?.body).toBeUndefined()
    expect(new Headers(world.http.asked[0]?.headers).get('content-type')).toBeNull()
    await settled(world.client.start(null))
    expect(world.http.asked[1]?.body).toBe('null')
  })

  test('passes signal, after and onGap on to the subscription', async () => {
    const world = createWorld()
    const controller = new AbortController()
    const { value: job } = await settled(world.client.start(1, { signal: controller.signal, after: 'tail' }))
    if (!job) throw new Error('not started')
    const loop = run(job)
    await elapse(50)
    expect(loop.events).toEqual([])
    controller.abort(new Error('enough'))
    await elapse(0)
    expect(loop.error).toBe(controller.signal.reason)
  })
})

describe('cancel', () => {
  test('posts a request, and resolves when the server has accepted it; the job goes on to its end', async () => {
    const world = createWorld()
    world.log.fill('a/b', 2)
    const job = world.client.subscribe('a/b')
    const loop = run(job)
    await elapse(50)
    world.log.fill('a%2Fb', 1) // the virtual server knows the job by its encoded path
    expect('value' in (await settled(job.cancel()))).toBe(true)
    expect(world.http.asked.at(-1)?.url.pathname).toBe('/jobs/a%2Fb/cancel')
    expect(loop.state).toBe('running')
  })

  test('accepts any 2xx', async () => {
    const world = createWorld()
    for (const answer of [() => new Response(null, { status: 202 }), () => new Response(null, { status: 204 }), () => new Response('ok')]) {
      world.http.faults.cancel = answer
      expect('value' in (await settled(world.client.subscribe('42').cancel()))).toBe(true)
    }
  })

  test('is inert otherwise, repeats where the network fails, and rejects an error of the server', async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    const job = world.client.subscribe('42')
    world.http.faults.cancel = 'break'
    const outcome = watch(job.cancel())
    await elapse(20)
    expect(outcome).toEqual({})
    world.http.faults.cancel = undefined
    await elapse(2000)
    expect(outcome).toEqual({ value: undefined })
    expect('value' in outcome).toBe(true)
    world.http.faults.cancel = problem(403, 'forbidden')
    expect((await settled(job.cancel())).error).toMatchObject({ code: 'forbidden', message: 'cancel job 42: the server said 403 forbidden: no' })
    expect(world.links).toEqual([])
  })
})

describe('the answers of an intermediary', () => {
  const answer =
    (status: number, headers: Record<string, string> = {}) =>
    (): Response =>
      new Response('no', { status, headers: { 'content-type': 'text/plain', ...headers } })

  test.each(['start', 'cancel'] as const)('a 401 to %s calls the token source once more', async (resource) => {
    let tokens = 0
    const world = createWorld({ token: () => `token-${++tokens}` })
    world.log.fill('42', 1)
    const refused = answer(401, { 'www-authenticate': 'Bearer error="invalid_token"' })
    world.http.faults[resource] = () => {
      if (tokens === 2) world.http.faults[resource] = undefined
      return tokens === 2 ? Response.json(world.log.snapshot('42')) : refused()
    }
    expect('value' in (await settled<unknown>(resource === 'start' ? world.client.start(1) : world.client.subscribe('42').cancel(), 1000))).toBe(true)
    expect(tokens).toBe(2)
    world.http.faults[resource] = refused
    const { error } = await settled<unknown>(resource === 'start' ? world.client.start(1) : world.client.subscribe('42').cancel(), 1000)
    expect(error).toMatchObject({ code: 'unauthorized', status: 401 })
    expect(tokens).toBe(4)
  })

  test.each([
    ['429 of a gateway', answer(429, { 'retry-after': '60' })],
    ['503 of a gateway, with a date', answer(503, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() })],
    ['413 of a gateway', answer(413, { 'retry-after': '60' })],
    ['503 of the server', problem(503, 'busy', { 'retry-after': '60' })]
  ])('%s: no request before its Retry-After is over', async (_, busy) => {
    const world = createWorld()
    world.http.faults.start = busy
    const outcome = watch(world.client.start(1))
    await elapseRoughly(58_000)
    expect(world.http.asked).toHaveLength(1)
    world.http.faults.start = undefined
    await elapseRoughly(3_650_000)
    expect(outcome.value?.jobId).toBe('started-1')
  })

  test('a Retry-After longer than any timer is a long pause, not none', async () => {
    const world = createWorld()
    world.http.faults.start = problem(503, 'busy', { 'retry-after': '2592000' })
    watch(world.client.start(1))
    await elapseRoughly(60_000)
    expect(world.http.asked).toHaveLength(1)
  })

  test("a router's 404 to cancel in the middle of a deploy is waited out, and thrown if it stays", async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    world.http.faults.cancel = answer(404)
    const outcome = watch(world.client.subscribe('42').cancel())
    await elapse(3000)
    expect(outcome).toEqual({})
    world.http.faults.cancel = undefined
    await elapseRoughly(10_000)
    expect('value' in outcome).toBe(true)
    world.http.faults.cancel = answer(404)
    expect((await settled(world.client.subscribe('42').cancel(), 60_000)).error).toMatchObject({ code: 'unknown-job', status: 404 })
  })

  test.each([
    ['start', 'JSON', () => Response.json({ error: 'it is archived' }, { status: 409 })],
    ['cancel', 'JSON', () => Response.json({ error: 'it is archived' }, { status: 409 })],
    ['cancel', 'text', () => new Response('it is archived', { status: 409 })],
    [
      'cancel',
      'a problem without a code',
      () => Response.json({ title: 'it is archived' }, { status: 409, headers: { 'content-type': 'application/problem+json' } })
    ],
    [
      'cancel',
      "a problem of the server's",
      () => Response.json({ title: 'it is archived', code: 'ended' }, { status: 409, headers: { 'content-type': 'application/problem+json' } })
    ]
  ] as const)('a conflict that %s is answered in %s will not go away: it is thrown at once, with its words', async (resource, _, conflict) => {
    const world = createWorld()
    world.log.fill('42', 1)
    world.http.faults[resource] = conflict
    const { error } = await settled<unknown>(resource === 'start' ? world.client.start(1) : world.client.subscribe('42').cancel())
    expect(error).toMatchObject({ name: 'JobtailError', code: 'bad-request', status: 409, message: expect.stringContaining('it is archived') })
    expect(world.http.asked).toHaveLength(1)
    await expectNothingLeft(world)
  })

  test.each([
    ['an intermediary', answer(404)],
    ['the server', problem(404, 'unknown-job')]
  ])('a 404 of %s names the slash in the id as its likely cause', async (_, notFound) => {
    const world = createWorld()
    world.http.faults.cancel = notFound
    const { error } = await settled(world.client.subscribe('a/b').cancel(), 60_000)
    expect(error).toMatchObject({ code: 'unknown-job', status: 404, message: expect.stringContaining('the slash in the id may have been decoded') })
    const other = await settled(world.client.subscribe('ab').cancel(), 60_000)
    expect(`${other.error}`).not.toContain('slash')
  })
})

describe('operations', () => {
  const { signal } = new AbortController()
  const request = { base: new URL('http://localhost/jobs'), headers: new Headers(), credentials: 'omit' as const, signal, fetch }
  const over = (options: Partial<OperationsOptions>) =>
    createOperations({
      backend: { transports: [] },
      context: async () => request,
      retry: { baseMs: 1, maxMs: 1, attempts: 3 },
      canReauthorize: false,
      ...options
    })

  test('that the backend lacks are rejected as unsupported, without a request', async () => {
    const context = vi.fn()
    const operations = over({ context })
    for (const call of [operations.snapshot('42', signal), operations.cancel('42', signal), operations.start(1, 'key', signal)])
      await expect(call).rejects.toMatchObject({ code: 'unsupported' })
    expect(context).not.toHaveBeenCalled()
  })

  test('are called as methods, so that a backend may be a class instance', async () => {
    class Other {
      readonly transports = []
      readonly #id = 'its-own'
      async start(): Promise<{ id: string }> {
        return { id: this.#id }
      }
    }
    expect(await over({ backend: new Other() }).start(1, 'key', signal)).toEqual({ id: 'its-own' })
  })

  /** Fails in the given ways, then succeeds. */
  async function tried(errors: Error[], options: Partial<OperationsOptions> = {}): Promise<Outcome<void> & { asked: number }> {
    let asked = 0
    const cancel = async (): Promise<void> => {
      const error = errors[asked++]
      if (error) throw error
    }
    return { ...(await settled(over({ backend: { transports: [], cancel }, ...options }).cancel('42', signal), 200)), asked }
  }

  test('are repeated, whichever copy of the library the error comes from', async () => {
    const foreign = (name: string, fields: object): Error => Object.assign(new Error('no'), { name }, fields)
    expect(await tried([foreign('TransportError', { reason: 'status', status: 503 })])).toEqual({ value: undefined, asked: 2 })
    expect(await tried([foreign('JobtailError', { code: 'bad-request', status: 429 })])).toEqual({ value: undefined, asked: 2 })
    expect(await tried([foreign('JobtailError', { code: 'forbidden', status: 403 })])).toMatchObject({ error: { code: 'forbidden' }, asked: 1 })
  })

  test('have a limit of attempts where no answer comes, and none where the server asks for a pause', async () => {
    const cut = (): TransportError => new TransportError('cut', 'cut')
    expect(await tried([cut(), cut(), cut(), cut()])).toMatchObject({ error: { code: 'unreachable', cause: { reason: 'cut' } }, asked: 3 })
    const busy = (): JobtailError => new JobtailError('bad-request', 'busy', { status: 503 })
    expect(await tried([busy(), busy(), busy(), busy()])).toEqual({ value: undefined, asked: 5 })
  })

  test('call the token source once more after a 401, and again after another answer', async () => {
    const unauthorized = (): TransportError => new TransportError('status', 'who?', { status: 401 })
    const cut = new TransportError('cut', 'cut')
    expect(await tried([unauthorized()])).toMatchObject({ error: { code: 'unauthorized' }, asked: 1 })
    expect(await tried([unauthorized(), unauthorized()], { canReauthorize: true })).toMatchObject({ error: { code: 'unauthorized', status: 401 }, asked: 2 })
    expect(await tried([unauthorized(), cut, unauthorized()], { canReauthorize: true, retry: { baseMs: 1, maxMs: 1, attempts: 9 } })).toMatchObject({
      asked: 4
    })
  })

  test('are tried once where one try is asked for', async () => {
    const backend = { transports: [], snapshot: vi.fn().mockRejectedValue(new TransportError('cut', 'cut')) }
    await expect(over({ backend }).snapshot('42', signal, true)).rejects.toMatchObject({ reason: 'cut' })
    expect(backend.snapshot).toHaveBeenCalledTimes(1)
  })
})

describe("Jobtail's backend", () => {
  const { signal } = new AbortController()
  const asking = (response: Response) => ({
    base: new URL('http://localhost/jobs'),
    headers: new Headers(),
    credentials: 'omit' as const,
    signal,
    fetch: vi.fn(async () => response)
  })

  test('makes one request, and throws its error', async () => {
    const { snapshot, start, cancel } = jobtailBackend()
    const busy = asking(problem(503, 'busy', { 'retry-after': '7' })())
    await expect(cancel?.(busy, '42')).rejects.toMatchObject({ name: 'JobtailError', status: 503, retryAfterMs: 7000 })
    expect(busy.fetch).toHaveBeenCalledTimes(1)
    await expect(snapshot?.(asking(page(200)()), '42')).rejects.toMatchObject({ name: 'TransportError', reason: 'content-type', status: 200 })
    await expect(start?.(asking(page(429)()), 1, 'key')).rejects.toMatchObject({ name: 'TransportError', status: 429 })
  })

  test('says what a job id and a cursor must be', () => {
    const { expected, transports } = jobtailBackend()
    expect(transports).toEqual([])
    expect(expected?.('job id', '42')).toBeUndefined()
    expect(expected?.('job id', '..')).toContain('1 to 256 bytes')
    expect(expected?.('after', 'tail')).toBeUndefined()
    expect(expected?.('after', '')).toBe('an event\'s id or "tail"')
  })

  test('accepts a number as the progress of a snapshot, of which the state makes a ratio', async () => {
    const body = { id: '42', status: 'running', epoch: 'e', seq: 1, cursor: 'e-1', progress: 50 }
    expect(await jobtailBackend().snapshot?.(asking(Response.json(body)), '42')).toMatchObject({ progress: 50 })
  })

  test('does not take the snapshot of another job, which a cache gave', async () => {
    const body = { id: '43', status: 'succeeded', epoch: 'e', seq: 1, cursor: 'e-1', result: 'of another' }
    const message = 'snapshot of job 42: got that of job 43'
    await expect(jobtailBackend().snapshot?.(asking(Response.json(body)), '42')).rejects.toMatchObject({ reason: 'stale', message })
  })

  test('does not take a login page for a cancel, to which a redirect has led', async () => {
    const answer = (): Response => Object.defineProperty(page(200)(), 'redirected', { value: true })
    await expect(jobtailBackend().cancel?.(asking(answer()), '42')).rejects.toMatchObject({ reason: 'redirected', status: 200 })
    await expect(jobtailBackend().cancel?.(asking(page(202)()), '42')).resolves.toBeUndefined() // as frameworks answer without a body
  })

  test('tells a redirect to another origin from a network failure', async () => {
    vi.stubGlobal('location', new URL('http://localhost/'))
    onTestFinished(() => void vi.unstubAllGlobals())
    const request = asking(Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' }))
    request.fetch.mockRejectedValueOnce(new TypeError('Failed to fetch'))
    await expect(jobtailBackend().cancel?.(request, '42')).rejects.toMatchObject({ reason: 'redirected' })
    expect(request.fetch).toHaveBeenCalledTimes(2)
  })
})

describe('invalid arguments are rejected at once, with what was expected', () => {
  test.each([
    ['a job id', '', {}, 'job id: expected 1 to 256 bytes of UTF-8'],
    ['a job id', '..', {}, 'got ".."'],
    ['a job id', 'events', {}, 'got "events"'],
    ['a job id', 'ä'.repeat(129), {}, 'job id'],
    ['a cursor', '42', { after: 'no cursor' }, 'after: expected an event\'s id or "tail", got "no cursor"'],
    ['a cursor', '42', { after: '' }, 'after']
  ])('%s: %j', (_, job, options, message) => {
    const { client } = createWorld()
    expect(() => client.subscribe(job, options)).toThrow(expect.objectContaining({ code: 'bad-request', message: expect.stringContaining(message) }))
  })

  test('a relative url outside of a page', async () => {
    const world = createWorld()
    const client = world.another({ url: '/jobs' })
    const message = 'url: expected an http: or https: URL without a password, absolute outside of a page, got "/jobs"'
    const job = client.subscribe('42')
    const loop = run(job)
    await elapse(0)
    expect(loop.error).toMatchObject({ code: 'bad-request', message: expect.stringContaining(message) })
    expect((await settled(client.start(1))).error).toMatchObject({ code: 'bad-request' })
    expect((await settled(client.subscribe('43').result)).error).toMatchObject({ code: 'bad-request' })
    expect(world.http.asked).toEqual([])
  })
})
