import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createClient } from '../../src/index.ts'
import { JobError } from '../../src/server/job-error.ts'
import { createJobServer } from '../../src/server/job-server.ts'
import { memoryLog } from '../../src/server/log/memory.ts'
import { type EventLog, LogError } from '../../src/server/log/types.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import type { JobContext } from '../../src/server/types.ts'
import { createGate } from './gate.ts'
import { type Served, serve } from './serve.ts'

const types = async ({ read }: Served, job: string) => (await read(`/${job}/events`)).events.map(({ type }) => type)

test('undefined options have their defaults', async () => {
  // as: JavaScript callers may pass anything
  const jobs = createJobServer({ log: undefined, heartbeatMs: undefined, authorize: undefined } as unknown as JobServerOptions)
  expect(await jobs.publish('42', 'started')).toMatchObject({ seq: 1, data: null })
  expect((await jobs.fetch(new Request('http://localhost/jobs/42/events'))).status).toBe(200)
  await jobs.close()
})

describe('run', () => {
  test('appends queued, started, what the work publishes in order, and succeeded', async () => {
    const served = await serve()
    const result = await served.jobs.run('42', async (job) => {
      expect(job.id).toBe('42')
      void job.progress({ ratio: 0.5 })
      void job.log('hello')
      await job.log('careful', 'warning')
      void job.output([1])
      void job.publish('thumbnail', { url: '/t' })
      return { size: 7 }
    })
    expect(result).toEqual({ size: 7 })
    const { events, jobs } = await served.read('/42/events')
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['queued', {}],
      ['started', {}],
      ['progress', { ratio: 0.5 }],
      ['log', { level: 'info', message: 'hello' }],
      ['log', { level: 'warning', message: 'careful' }],
      ['output', [1]],
      ['thumbnail', { url: '/t' }],
      ['succeeded', { size: 7 }]
    ])
    expect(jobs).toMatchObject([{ done: true, status: 'succeeded' }])
  })

  test('accepts work without a result', async () => {
    const served = await serve()
    expect(await served.jobs.run('42', () => {})).toBeUndefined()
    expect(await (await served.get('/42')).json()).toMatchObject({ status: 'succeeded', result: null })
  })

  const secret = Object.assign(new Error('connect ECONNREFUSED postgres://app:hunter2@db/app'), { code: 'ECONNREFUSED' })
  test.each([
    [secret, { code: 'error', message: 'the job has failed' }],
    ['a string', { code: 'error', message: 'the job has failed' }],
    [undefined, { code: 'error', message: 'the job has failed' }],
    [new JobError('no-such-file', 'there is no such file'), { code: 'no-such-file', message: 'there is no such file' }],
    [
      new JobError('busy', 'later', { retryable: true, details: { after: 5 }, cause: secret }),
      { code: 'busy', message: 'later', retryable: true, details: { after: 5 } }
    ]
  ])('work that throws %s: failed, and run rejects with it; readers get only what is meant for them, onError gets all', async (thrown, data) => {
    const told: unknown[] = []
    const served = await serve({ onError: (...what) => told.push(what) })
    const run = served.jobs.run('42', () => {
      throw thrown
    })
    await expect(run.then(undefined, (error) => [error])).resolves.toEqual([thrown])
    const { events } = await served.read('/42/events')
    expect(events.at(-1)).toMatchObject({ type: 'failed' })
    expect(events.at(-1)?.data).toEqual(data)
    expect(JSON.stringify(await (await served.get('/42')).json())).not.toContain('hunter2')
    expect(told).toEqual([[thrown, { jobId: '42' }]])
  })

  test('with exposeErrors readers get what work throws', async () => {
    const served = await serve({ exposeErrors: true })
    await expect(served.jobs.run('42', () => Promise.reject(secret))).rejects.toBe(secret)
    expect((await served.read('/42/events')).events.at(-1)?.data).toEqual({ code: 'ECONNREFUSED', message: secret.message })
  })

  test('a result that is no JSON: failed', async () => {
    const served = await serve()
    await expect(served.jobs.run('42', () => 10n)).rejects.toThrow(/data of "succeeded" for job "42"/)
    expect(await types(served, '42')).toEqual(['queued', 'started', 'failed'])
  })

  test('after the end calls reject with a clear error, and unawaited ones cause no unhandled rejection', async () => {
    const served = await serve()
    let late: JobContext | undefined
    await served.jobs.run('42', (job) => {
      late = job
    })
    void late?.progress({ ratio: 1 })
    await expect(late?.progress({ ratio: 1 })).rejects.toThrow('job "42" has ended with "succeeded": "progress" cannot be appended')
    expect(await types(served, '42')).toEqual(['queued', 'started', 'succeeded'])
  })

  test('a queued job is run; a running or ended one is not', async () => {
    const served = await serve()
    await served.jobs.publish('42', 'queued', { position: 3 })
    await served.jobs.run('42', async () => {
      await expect(served.jobs.run('42', () => 1)).rejects.toMatchObject({
        code: 'conflict',
        message: 'job "42": expected a new or queued job to run, it is running already'
      })
    })
    await expect(served.jobs.run('42', () => 1)).rejects.toMatchObject({ code: 'conflict' })
    expect(await types(served, '42')).toEqual(['queued', 'started', 'succeeded'])
  })

  test('of many concurrent runs one works', async () => {
    const served = await serve()
    const work = vi.fn()
    const runs = await Promise.allSettled(Array.from({ length: 10 }, () => served.jobs.run('42', work)))
    expect(work).toHaveBeenCalledTimes(1)
    expect(runs.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await types(served, '42')).toEqual(['queued', 'started', 'succeeded'])
  })

  test.each([
    ['succeeded', undefined],
    ['failed', new Error('no')]
  ])('an end that was stored but not acknowledged, %s, counts: the run settles as its work did', async (type, error) => {
    const log = memoryLog()
    let isLost = true
    const losing: EventLog = {
      ...log,
      async append(...entry) {
        const event = await log.append(...entry)
        if (!isLost || event.type !== type) return event
        isLost = false
        throw new LogError('unavailable', 'the answer was lost')
      }
    }
    const onError = vi.fn()
    const served = await serve({ log: losing, onError })
    const run = served.jobs.run('42', () => {
      if (error) throw error
      return 7
    })
    await (error ? expect(run).rejects.toBe(error) : expect(run).resolves.toBe(7))
    expect(await types(served, '42')).toEqual(['queued', 'started', type])
    expect(onError).toHaveBeenCalledTimes(error ? 2 : 1)
  })

  test('work that could not begin before the server was closed never begins', async () => {
    const gate = createGate()
    const onError = vi.fn()
    const { jobs } = await serve({ log: gate.log, onError })
    gate.outage()
    const work = vi.fn()
    const run = jobs.run('42', work)
    run.catch(() => {}) // it is awaited below
    await vi.waitFor(() => expect(onError).toHaveBeenCalled())
    await jobs.close()
    await expect(run).rejects.toMatchObject({ code: 'unavailable' })
    expect(work).not.toHaveBeenCalled()
  })

  test('watches its log only while it runs', async () => {
    const gate = createGate()
    const { jobs } = await serve({ log: gate.log })
    await jobs.run('42', () => gate.watched('42'))
    expect(gate.watching()).toBe(0)
  })
})

describe('publish', () => {
  test('refuses an invalid event, and names what was wrong', async () => {
    const { jobs } = await serve()
    await expect(jobs.publish('..', 'queued')).rejects.toThrow('job id: expected 1 to 256 UTF-8 bytes, not ".", ".." or "events", got ".."')
    await expect(jobs.publish('a', 'a b')).rejects.toThrow('event type: expected 1 to 64 characters of [A-Za-z0-9._-], not the reserved "gap", got "a b"')
    await expect(jobs.publish('a', 'output', { n: 1n })).rejects.toThrow(/^data of "output" for job "a": expected a value that JSON can carry \(.*BigInt/)
  })
})

describe('POST start', () => {
  test('runs a created job once its log is available again', async () => {
    const gate = createGate()
    let back = () => {}
    const log: EventLog = {
      ...gate.log,
      async append(...entry) {
        const event = await gate.log.append(...entry)
        if (event.type === 'queued') back = gate.outage()
        return event
      }
    }
    const ids: string[] = []
    const served = await serve({ log, start: ({ id }) => ids.push(id), onError: () => back() })
    expect([202, 503]).toContain((await served.post('', '1')).status) // the log may be unavailable when the snapshot is read
    await vi.waitFor(() => expect(ids).toHaveLength(1), { timeout: 5000 })
    expect(await types(served, ids[0] ?? '')).toEqual(['queued', 'started', 'succeeded'])
  })

  test('answers 202 with Location and the snapshot, and the work gets the input', async () => {
    const inputs: unknown[] = []
    const served = await serve({ start: (_, input) => inputs.push(input) })
    const response = await served.post('', '{"a":[1]}', { 'content-type': 'application/json' })
    expect(response.status).toBe(202)
    const snapshot = await response.json()
    expect(response.headers.get('location')).toBe(`/jobs/${snapshot.id}`)
    expect(snapshot).toMatchObject({ status: expect.stringMatching(/queued|running/), seq: expect.any(Number) })
    await vi.waitFor(async () => expect(await types(served, snapshot.id)).toEqual(['queued', 'started', 'succeeded']))
    await served.post('')
    expect(inputs).toEqual([{ a: [1] }, undefined])
  })

  test('answers a repeat with its key as the first time and starts nothing, even at the same time and after the end', async () => {
    const start = vi.fn(() => 1)
    const served = await serve({ start })
    const ask = async (body = '{"n":1}') => {
      const response = await served.post('', body, { 'idempotency-key': 'key 1' })
      return [response.status, response.headers.get('location')]
    }
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask()))
    expect(new Set(answers.map(String)).size).toBe(1)
    expect(answers[0]).toEqual([202, expect.stringMatching(/^\/jobs\/[\w-]{22}$/)])
    await vi.waitFor(() => expect(start).toHaveBeenCalled())
    expect(await ask()).toEqual(answers[0])
    expect(start).toHaveBeenCalledTimes(1)
    expect(await ask('{"n":2}')).toEqual([422, null])
  })

  test('a repeat runs a job that was created but not begun, because the first answer or its server was lost', async () => {
    const log = memoryLog()
    let isLost = true
    const losing: EventLog = {
      ...log,
      async append(...args) {
        const event = await log.append(...args)
        if (isLost) throw new LogError('unavailable', 'the answer was lost')
        return event
      }
    }
    let runs = 0
    const start = () => {
      runs += 1
    }
    const nodes = [await serve({ log: losing, start }), await serve({ log, start })]
    const ask = () => nodes.map(({ post }) => post('', '1', { 'idempotency-key': 'k' }))
    expect((await nodes[0]?.post('', '1', { 'idempotency-key': 'k' }))?.status).toBe(503)
    isLost = false
    const answers = await Promise.all([...ask(), ...ask()])
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202])
    const [first] = await Promise.all(answers.map((answer): Promise<{ id: string }> => answer.json()))
    await expect.poll(() => log.snapshot(first?.id ?? '')).toMatchObject({ status: 'succeeded' })
    expect(runs).toBe(1)
  })

  test('without authorize all clients share their keys: a cookie renewed by a balancer, or a new token, starts nothing again', async () => {
    const start = vi.fn()
    const served = await serve({ start })
    const ask = async (headers: Record<string, string>) => (await served.post('', '{}', { 'idempotency-key': 'k', ...headers })).headers.get('location')
    const places = [await ask({ cookie: 'AWSALB=1' }), await ask({ cookie: 'AWSALB=2' }), await ask({ authorization: 'Bearer b' }), await ask({})]
    expect(new Set(places).size).toBe(1)
    await vi.waitFor(() => expect(start).toHaveBeenCalledTimes(1))
  })

  test.each([
    ['true', true as const],
    ['allow without a subject', { allow: true as const }]
  ])('where authorize does not name the owner of a key (%s), the key is refused: other tenants would share it', async (_, answer) => {
    const start = vi.fn(() => 'of tenant a')
    const served = await serve({ start, authorize: ({ request }) => (['a', 'b'].includes(request.headers.get('x-api-key') ?? '') ? answer : false) })
    // A UUID of version 5 is the hash of a name, and another tenant may use the same name.
    for (const [tenant, key] of ['a', 'b'].flatMap((each) => [[each, 'k'] as const, [each, '886313e1-3b8a-5372-9b90-0c9aee199e5d'] as const])) {
      const refused = await served.post('', '{}', { 'idempotency-key': key, 'x-api-key': tenant, cookie: tenant })
      expect(await refused.json()).toMatchObject({
        status: 400,
        code: 'bad-request',
        detail: expect.stringMatching(
          /^Idempotency-Key: expected a random UUID \(version 4 or 7\), since authorize named no subject .*\{ allow: true, subject \}$/
        )
      })
    }
    expect(start).not.toHaveBeenCalled()
    expect((await served.post('', '{}', { 'x-api-key': 'a' })).status).toBe(202)
  })

  test("a random key, as Jobtail's client sends it, needs no subject", async () => {
    const start = vi.fn()
    const served = await serve({ start, authorize: () => true })
    const { fetch } = globalThis
    const keys: string[] = []
    const client = createClient({
      url: served.base,
      fetch: (url, init) => {
        keys.push(new Headers(init?.headers).get('idempotency-key') ?? '')
        return fetch(url, init)
      }
    })
    onTestFinished(() => client.close())
    await client.start({})
    expect(keys[0]).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    const ask = async (cookie: string) => (await served.post('', '{}', { 'idempotency-key': keys[0] ?? '', cookie })).headers.get('location')
    expect(await ask('AWSALB=1')).toBe(await ask('AWSALB=2'))
    expect(start).toHaveBeenCalledTimes(1)
  })

  test('a repeat is answered only if the client may read the job', async () => {
    let mayRead = true
    const served = await serve({
      start: () => 'secret',
      authorize: ({ action }) => (action === 'read' && !mayRead ? false : { allow: true, subject: 'alice' })
    })
    const ask = () => served.post('', '{}', { 'idempotency-key': 'k', authorization: 'Bearer alice' })
    const first = await ask()
    expect([first.status, (await ask()).headers.get('location')]).toEqual([202, first.headers.get('location')])
    mayRead = false
    const refused = await ask()
    expect([refused.status, refused.headers.get('location')]).toEqual([403, null])
    expect(await refused.text()).not.toContain('secret')
  })

  test('with a subject of authorize, a new token makes no new job', async () => {
    const served = await serve({
      start: () => 1,
      authorize: ({ request }) => ({ allow: true, subject: request.headers.get('authorization')?.split('.')[0] ?? 'nobody' })
    })
    const ask = async (token: string) => (await served.post('', '{}', { 'idempotency-key': 'k', authorization: token })).headers.get('location')
    expect(await ask('alice.1')).toBe(await ask('alice.2'))
    expect(await ask('bob.1')).not.toBe(await ask('alice.1'))
  })

  test('idOf puts the owner into the id, and a repeat still finds its job', async () => {
    const start = vi.fn()
    const served = await serve({
      start,
      idOf: ({ id, subject }) => `${subject}.${id}`,
      authorize: ({ request, jobId }) => {
        const user = request.headers.get('authorization') ?? ''
        return (jobId === undefined || /^(.+)\.[\w-]+$/.exec(jobId)?.[1] === user) && { allow: true, subject: user } // as docs/API.md says
      }
    })
    const ask = async (authorization: string, headers = {}) => (await (await served.post('', '1', { authorization, ...headers })).json()).id
    const key = { 'idempotency-key': 'k' }
    const ids = [await ask('ada'), await ask('ada', key), await ask('ada', key), await ask('bob', key)]
    expect(ids).toEqual([expect.stringMatching(/^ada\../), expect.stringMatching(/^ada\../), ids[1], expect.stringMatching(/^bob\../)])
    expect(new Set(ids).size).toBe(3)
    await vi.waitFor(() => expect(start).toHaveBeenCalledTimes(3))
    const statuses = ['ada', 'bob'].map(async (authorization) => (await served.get(`/${ids[0]}`, { authorization })).status)
    expect(await Promise.all(statuses)).toEqual([200, 403])
    for (const id of ['ada1', 'ada.b.1', 'ada']) await served.jobs.publish(id, 'progress', {})
    const others = ['ada1', 'ada.b.1', 'ada'].map(async (id) => (await served.get(`/${id}`, { authorization: 'ada' })).status)
    expect(await Promise.all(others)).toEqual([403, 403, 403])
  })

  test.each([
    ['the same id for all', () => 'mine'],
    ['an invalid job id', ({ id }: { id: string }) => id.padEnd(257, '.')],
    ['an id that is no string', () => 7 as unknown as string] // as: what JavaScript lets through
  ])('an invalid id of idOf starts nothing, and onError gets the reason: %s', async (_, idOf) => {
    const [start, onError] = [vi.fn(), vi.fn()]
    const served = await serve({ start, idOf, onError })
    expect((await served.post('', '1')).status).toBe(500)
    expect(onError.mock.calls[0]?.[0]).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/^idOf: expected a job id of at most 256 UTF-8 bytes with .* in it, got /)
    })
    expect(start).not.toHaveBeenCalled()
  })

  test('two servers on one log start one job', async () => {
    const log = memoryLog()
    const start = vi.fn(() => new Promise(() => {}))
    const servers = [await serve({ log, start }), await serve({ log, start })]
    const places = await Promise.all([0, 1, 0, 1].map(async (n) => (await servers[n]?.post('', '7', { 'idempotency-key': 'k' }))?.headers.get('location')))
    expect(new Set(places).size).toBe(1)
    await vi.waitFor(() => expect(start).toHaveBeenCalledTimes(1))
  })

  test('bad input: not JSON, too large, an invalid key, a server without start', async () => {
    const start = vi.fn()
    const { post } = await serve({ start, maxBodyBytes: 1000 })
    expect(await (await post('', '{')).json()).toMatchObject({ status: 400, code: 'bad-request', detail: 'body: expected JSON' })
    for (const size of [1001, 3_000_000]) {
      const large = await post('', JSON.stringify('x'.repeat(size - 2)))
      expect(large.status).toBe(413)
      expect(await large.json()).toMatchObject({ code: 'bad-request', detail: 'body: expected at most 1000 bytes (maxBodyBytes)' })
    }
    expect((await post('', '1', { 'idempotency-key': 'x'.repeat(256) })).status).toBe(400)
    expect((await post('', JSON.stringify('x'.repeat(998)))).status).toBe(202)
    expect(start).toHaveBeenCalledTimes(1)
    const without = await serve()
    expect((await without.post('', '1')).status).toBe(405)
  })

  test('a job that fails is reported to onError with its id, and __proto__ is plain data', async () => {
    const onError = vi.fn()
    const error = new Error('no')
    const served = await serve({
      onError,
      start: (job, input) => {
        void job.log(Object.keys(Object(input)).join())
        throw error
      }
    })
    const { id } = await (await served.post('', '{"__proto__":{"x":1}}')).json()
    await vi.waitFor(() => expect(onError).toHaveBeenCalledWith(error, { jobId: id }))
    await vi.waitFor(async () => expect(await types(served, id)).toEqual(['queued', 'started', 'log', 'failed']))
    expect((await served.read(`/${id}/events`)).events[2]?.data).toMatchObject({ message: '__proto__' })
  })
})

describe('POST cancel', () => {
  /** Work that runs until its signal is aborted. */
  const untilAborted = (job: JobContext) => new Promise<never>((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason)))

  test('appends cancelling, which aborts the work; the job ends as cancelled; a repeat changes nothing', async () => {
    const served = await serve()
    const run = served.jobs.run('42', untilAborted)
    const rejected = expect(run).rejects.toMatchObject({ name: 'AbortError', message: 'job "42" was cancelled' })
    await vi.waitFor(async () => expect(await types(served, '42')).toContain('started'))
    const responses = await Promise.all(Array.from({ length: 5 }, () => served.post('/42/cancel')))
    expect(responses.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202])
    await rejected
    const last = await served.post('/42/cancel')
    expect(last.status).toBe(202)
    expect(await last.json()).toMatchObject({ id: '42', status: 'cancelled' })
    expect(await types(served, '42')).toEqual(['queued', 'started', 'cancelling', 'cancelled'])
  })

  test('is appended once, even for a job that no server runs', async () => {
    const served = await serve()
    await served.jobs.publish('42', 'started')
    for (let n = 0; n < 3; n += 1) expect(await (await served.post('/42/cancel')).json()).toMatchObject({ status: 'running', seq: 2 })
    expect(await types(served, '42')).toEqual(['started', 'cancelling'])
  })

  test('stops the work on any server', async () => {
    const log = memoryLog()
    const [here, there] = [await serve({ log }), await serve({ log })]
    const rejected = expect(here.jobs.run('42', untilAborted)).rejects.toThrow('cancelled')
    await vi.waitFor(async () => expect(await types(here, '42')).toContain('started'))
    await there.post('/42/cancel')
    await rejected
  })

  test('works even if the wake-up is lost, or the cancel comes before the work', async () => {
    const gate = createGate()
    gate.loseWakeUps()
    const served = await serve({ log: gate.log, heartbeatMs: 30 })
    const late = expect(served.jobs.run('late', untilAborted)).rejects.toThrow('cancelled')
    await gate.watched('late')
    await served.post('/late/cancel')
    await late
    await served.jobs.publish('early', 'queued')
    await served.post('/early/cancel')
    await expect(served.jobs.run('early', untilAborted)).rejects.toThrow('cancelled')
    expect(await types(served, 'early')).toEqual(['queued', 'cancelling', 'started', 'cancelled'])
  })

  test('work that returns in spite of it ends as cancelled', async () => {
    const served = await serve()
    const run = served.jobs.run('42', async (job) => {
      await served.post('/42/cancel')
      await vi.waitFor(() => expect(job.signal.aborted).toBe(true))
      return 'half'
    })
    await expect(run).rejects.toThrow('cancelled')
    expect((await types(served, '42')).at(-1)).toBe('cancelled')
  })

  test('reaches a job that goes on appending, far behind its first events', async () => {
    const served = await serve()
    for (let n = 0; n < 2500; n += 1) await served.jobs.publish('42', 'progress', { n })
    let over = false
    const publishing = (async () => {
      for (; !over; await setImmediate()) await served.jobs.publish('42', 'progress', {})
    })()
    const response = await served.post('/42/cancel')
    over = true
    await publishing
    expect(response.status).toBe(202)
  })

  test('reads no events, however many there are', async () => {
    const gate = createGate()
    const served = await serve({ log: gate.log })
    for (let n = 0; n < 250; n += 1) await served.jobs.publish('42', 'output', n)
    for (let n = 0; n < 2; n += 1) expect(await (await served.post('/42/cancel')).json()).toMatchObject({ seq: 251, cancelling: {} })
    expect(gate.reads()).toBe(0)
  })

  test('of an unknown job is a 404, and with GET a 405', async () => {
    const { post, get } = await serve()
    expect(await (await post('/none/cancel')).json()).toMatchObject({ status: 404, code: 'unknown-job' })
    expect((await get('/none/cancel')).status).toBe(405)
  })
})
