import { expect, test, vi } from 'vitest'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const VARY = 'Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer'

test('a reading has all events of the job, and its position', async () => {
  const { jobs, get } = await serve({ heartbeatMs: 9000, maxJobsPerConnection: 7, shortPollPauseMs: 1234 })
  const queued = await jobs.publish('42', 'queued', {})
  const started = await jobs.publish('42', 'started')
  const response = await get('/42/events')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('cache-control')).toBe('private, no-store')
  expect(response.headers.get('vary')).toBe(VARY)
  expect(started.data).toBeNull()
  expect(await response.json()).toEqual({
    protocol: 1,
    heartbeatMs: 9000,
    mux: 7,
    pollMs: 1234,
    more: false,
    jobs: [{ job: '42', epoch: expect.any(String), seq: 0, from: expect.stringMatching(/-0$/), cursor: started.id, status: 'running', done: false }],
    events: [queued, started]
  })
})

test("the cursor is exclusive; the header's counts before the URL's; an empty one means from the oldest event", async () => {
  const { jobs, read } = await serve()
  const ids = []
  for (let n = 0; n < 3; n += 1) ids.push((await jobs.publish('42', 'progress', { n })).id)
  const seqs = async (path: string, headers?: Record<string, string>) => (await read(path, headers)).events.map(({ seq }) => seq)
  expect(await seqs(`/42/events?after=${ids[0]}`)).toEqual([2, 3])
  expect(await seqs(`/42/events?after=${ids[0]}`, { 'last-event-id': ids[1] ?? '' })).toEqual([3])
  expect(await seqs('/42/events?after=')).toEqual([1, 2, 3])
  expect(await seqs(`/42/events?after=${ids[1]}`, { 'last-event-id': '' })).toEqual([3])
  expect(await read(`/42/events?after=${ids[1]}`)).toMatchObject({ jobs: [{ seq: 2, from: ids[1], cursor: ids[2] }] })
})

test('no new event is a 200 without events, at once', async () => {
  const { jobs, read } = await serve()
  const { id } = await jobs.publish('42', 'queued')
  expect(await read(`/42/events?after=${id}`)).toMatchObject({
    more: false,
    events: [],
    jobs: [{ seq: 1, from: id, cursor: id, done: false, status: 'queued' }]
  })
})

test('after=tail is the end, with a cursor to go on from', async () => {
  const { jobs, read } = await serve()
  await jobs.publish('42', 'queued')
  const { id } = await jobs.publish('42', 'started')
  expect(await read('/42/events?after=tail')).toMatchObject({ events: [], jobs: [{ seq: 2, from: id, cursor: id }] })
})

test('a cursor of another log reads from the oldest event, as seq and from say', async () => {
  const { jobs, read } = await serve()
  const { id } = await jobs.publish('42', 'queued')
  for (const after of ['other-7', id.replace(/\d+$/, '2')]) {
    const reading = await read(`/42/events?after=${after}`)
    expect(reading).toMatchObject({ events: [{ seq: 1 }], jobs: [{ seq: 0, cursor: id }] })
  }
})

test('a finished job is done at its end, with and without events', async () => {
  const { jobs, read } = await serve()
  await jobs.publish('42', 'started')
  const { id } = await jobs.publish('42', 'failed', { code: 'x', message: 'y' })
  expect(await read('/42/events')).toMatchObject({ events: [{}, {}], jobs: [{ done: true, status: 'failed', cursor: id }] })
  expect(await read(`/42/events?after=${id}&wait=55`)).toMatchObject({ events: [], jobs: [{ done: true, status: 'failed', cursor: id }] })
})

test('at most 1,000 events, then more', async () => {
  const { jobs, read } = await serve()
  for (let n = 0; n < 1001; n += 1) await jobs.publish('42', 'progress', { n })
  await jobs.publish('42', 'succeeded')
  const first = await read('/42/events')
  expect(first).toMatchObject({ more: true, jobs: [{ seq: 0, done: false, cursor: first.events[999]?.id }] })
  expect(first.events).toHaveLength(1000)
  const second = await read(`/42/events?after=${first.events[999]?.id}`)
  expect(second).toMatchObject({ more: false, events: [{ seq: 1001 }, { seq: 1002 }], jobs: [{ seq: 1000, done: true }] })
})

test('about 1 MiB, then more; a larger event comes alone', async () => {
  const { jobs, read } = await serve()
  for (let n = 0; n < 5; n += 1) await jobs.publish('42', 'output', 'x'.repeat(400_000))
  await jobs.publish('42', 'output', 'x'.repeat(2_000_000))
  const sizes = []
  for (let after = '', more = true; more; ) {
    const reading = await read(`/42/events?after=${after}`)
    sizes.push(reading.events.length)
    after = reading.events.at(-1)?.id ?? ''
    more = reading.more
  }
  expect(sizes).toEqual([3, 3])
})

test('several jobs, each with its cursor; one that fails has an error, and the others go on', async () => {
  const { jobs, read } = await serve()
  const a = await jobs.publish('a', 'queued')
  await jobs.publish('a', 'started')
  await jobs.publish('b/ü', 'succeeded', 7)
  const reading = await read(`/events?job=a&after=${a.id}&job=${encodeURIComponent('b/ü')}&after=&job=none&after=x`)
  expect(reading.jobs).toMatchObject([
    { job: 'a', seq: 1, done: false, status: 'running' },
    { job: 'b/ü', seq: 0, done: true, status: 'succeeded' },
    { job: 'none', error: { status: 404, code: 'unknown-job', message: expect.any(String) } }
  ])
  expect(reading.jobs[2]).not.toHaveProperty('cursor')
  expect(reading.events.map(({ job, type }) => [job, type])).toEqual([
    ['a', 'started'],
    ['b/ü', 'succeeded']
  ])
})

test("a list of one job is answered like the job itself: with the header's cursor and a status", async () => {
  const { jobs, get, read } = await serve({ authorize: ({ jobId }) => jobId !== 'se/cret' })
  const { id } = await jobs.publish('a/b', 'queued')
  await jobs.publish('a/b', 'started')
  for (const path of ['/events?job=a%2Fb', '/events?job=a%2Fb&after=', '/events?job=a%2Fb&after=other-1'])
    expect(await read(path, { 'last-event-id': id })).toMatchObject({ events: [{ seq: 2 }], jobs: [{ seq: 1, from: id }] })
  expect((await get('/events?job=a%2Fb', { 'last-event-id': 'a b' })).status).toBe(400)
  expect((await get('/events?job=no%2Fne')).status).toBe(404)
  expect((await get('/events?job=se%2Fcret', { cookie: 'x' })).status).toBe(403)
})

test('with several jobs the header is ignored', async () => {
  const { jobs, read } = await serve()
  const { id } = await jobs.publish('a', 'queued')
  await jobs.publish('b', 'queued')
  expect((await read('/events?job=a&job=b', { 'last-event-id': id })).events).toHaveLength(2)
})

test('every requested job has a member, even if the events before it fill the answer; `more` gets the rest', async () => {
  const { jobs, read } = await serve()
  const names = Array.from({ length: 11 }, (_, n) => `job${n}`)
  for (const name of names) for (let n = 0; n < 120; n += 1) await jobs.publish(name, 'progress', { n })
  const reading = await read(`/events?${names.map((name) => `job=${name}`).join('&')}`)
  expect(reading.events).toHaveLength(1000)
  expect(reading.more).toBe(true)
  expect(reading.jobs.map(({ job }) => job)).toEqual(names)
  expect(reading.jobs[10]).toMatchObject({ seq: 0, cursor: expect.stringMatching(/-0$/), done: false })
  const cursors = reading.jobs.map((member) => ('cursor' in member ? member.cursor : ''))
  const rest = await read(`/events?${names.map((name, n) => `job=${name}&after=${cursors[n]}`).join('&')}`)
  expect(rest.more).toBe(false)
  for (const name of names)
    expect([...reading.events, ...rest.events].filter(({ job }) => job === name).map(({ seq }) => seq)).toEqual(Array.from({ length: 120 }, (_, n) => n + 1))
})

test.each([
  ['/events', /at least/],
  ['/events?job=a&job=a', /twice/],
  ['/events?job=a&job=b&job=c', /at most 2/],
  ['/events?job=a&job=b&after=x', /one for each job/],
  ['/events?job=a&after=x%20y', /cursor/],
  ['/events?job=..', /job/],
  ['/events?job=', /job/],
  ['/a/events?after=%00', /cursor/],
  [`/a/events?after=${'x'.repeat(129)}`, /cursor/],
  ['/a/events?wait=soon', /wait/],
  [`/${'x'.repeat(257)}/events`, /job/],
  [`/${'%C3%BC'.repeat(129)}/events`, /job/],
  ['/%E0%A4%A/events', /job/],
  ['/events/events', /job/]
])('is a bad request: %#', async (path, detail) => {
  const { jobs, get } = await serve({ maxJobsPerConnection: 2 })
  await jobs.publish('a', 'queued')
  const response = await get(path)
  expect(response.status).toBe(400)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(await response.json()).toEqual({ type: 'about:blank', title: 'Bad Request', status: 400, code: 'bad-request', detail: expect.stringMatching(detail) })
})

test('a malformed Last-Event-ID is a bad request', async () => {
  const { get } = await serve()
  expect((await get('/a/events', { 'last-event-id': 'a b' })).status).toBe(400)
})

test('an unknown job is a 404 with a problem', async () => {
  const { get } = await serve()
  const response = await get('/none/events?wait=55')
  expect(response.status).toBe(404)
  expect(response.headers.get('vary')).toBe(VARY)
  expect(await response.json()).toMatchObject({ code: 'unknown-job', status: 404, title: 'Not Found' })
})

test('an unknown resource is a 404 without a code for a job, and a wrong method is a 405', async () => {
  const { get, post, base } = await serve()
  for (const path of ['/a/b', '/a/events/c', '//a']) expect(await (await get(path)).json()).not.toHaveProperty('code')
  expect((await get('/a/b')).status).toBe(404)
  expect((await get('')).headers.get('allow')).toBe('POST')
  expect((await post('/a/events')).status).toBe(405)
  expect((await fetch(`${base}/a`, { method: 'DELETE' })).headers.get('allow')).toBe('GET, HEAD')
})

test('the snapshot outlives retention', async () => {
  const { jobs, get } = await serve()
  await jobs.publish('42', 'progress', { ratio: 0.5 })
  const { id } = await jobs.publish('42', 'succeeded', { url: '/x' })
  const response = await get('/42')
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('private, no-store')
  expect(await response.json()).toEqual({
    id: '42',
    status: 'succeeded',
    epoch: expect.any(String),
    seq: 2,
    cursor: id,
    progress: { ratio: 0.5 },
    result: { url: '/x' }
  })
  expect((await get('/none')).status).toBe(404)
})

test('ETag: a 304 only where there would be no events', async () => {
  const { jobs, get } = await serve()
  const { id } = await jobs.publish('42', 'queued')
  const full = await get('/42/events')
  const etag = full.headers.get('etag') ?? ''
  expect(etag).toMatch(/^"[\w-]+"$/)
  expect((await get('/42/events', { 'if-none-match': etag })).status).toBe(200)
  const path = `/42/events?after=${id}`
  const empty = (await get(path)).headers.get('etag') ?? ''
  expect(empty).not.toBe(etag)
  for (const sent of [empty, `W/${empty}`, `"other", ${empty}`, '*']) {
    const same = await get(path, { 'if-none-match': sent })
    expect(same.status).toBe(304)
    expect(same.headers.get('etag')).toBe(empty)
    expect(same.headers.get('cache-control')).toBe('private, no-store')
    expect(await same.text()).toBe('')
  }
  await jobs.publish('42', 'started')
  expect((await get(path, { 'if-none-match': empty })).status).toBe(200)
})

test.each([
  ['?wait=', {}],
  ['', { prefer: 'respond-async, wait=50' }]
])('a long poll (%#) is answered by the event that it waits for, with the status of that time', async (query, headers) => {
  const gate = createGate()
  const { jobs, read } = await serve({ log: gate.log })
  const { id } = await jobs.publish('42', 'queued')
  const reading = read(`/42/events${query && `${query}50`}`, { 'last-event-id': id, ...headers })
  await gate.watched('42')
  const started = await jobs.publish('42', 'started')
  expect(await reading).toMatchObject({ events: [started], jobs: [{ seq: 1, from: id, cursor: started.id, status: 'running' }] })
  await vi.waitFor(() => expect(gate.watching()).toBe(0))
})

test('a long poll of several jobs is answered by an event of any of them', async () => {
  const gate = createGate()
  const { jobs, read } = await serve({ log: gate.log })
  const a = await jobs.publish('a', 'queued')
  const b = await jobs.publish('b', 'queued')
  const reading = read(`/events?job=a&after=${a.id}&job=b&after=${b.id}&wait=55`)
  await gate.watched('b')
  const event = await jobs.publish('b', 'succeeded')
  expect(await reading).toMatchObject({
    events: [event],
    jobs: [
      { job: 'a', done: false },
      { job: 'b', done: true }
    ]
  })
})

test('a long poll ends after its time, a conditional one with 304', async () => {
  const { jobs, get } = await serve()
  const { id } = await jobs.publish('42', 'queued')
  const path = `/42/events?after=${id}`
  const etag = (await get(path)).headers.get('etag') ?? ''
  const [plain, conditional, clamped] = await Promise.all([get(`${path}&wait=1`), get(`${path}&wait=1`, { 'if-none-match': etag }), get(`${path}&wait=0`)])
  expect(await plain.json()).toMatchObject({ events: [], jobs: [{ cursor: id, done: false }] })
  expect(conditional.status).toBe(304)
  expect(clamped.status).toBe(200)
})

test('a long poll does not wait where a job has ended or has an error', async () => {
  const { jobs, read } = await serve()
  const a = await jobs.publish('a', 'queued')
  const b = await jobs.publish('b', 'succeeded')
  expect(await read(`/events?job=a&after=${a.id}&job=b&after=${b.id}&wait=55`)).toMatchObject({ events: [], jobs: [{}, { done: true }] })
  expect(await read(`/events?job=a&after=${a.id}&job=none&after=&wait=55`)).toMatchObject({ events: [], jobs: [{}, { error: { status: 404 } }] })
})

test('a long poll whose client disconnects is released', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log })
  const { id } = await jobs.publish('42', 'queued')
  const abort = new AbortController()
  const reading = fetch(`${base}/42/events?after=${id}&wait=55`, { signal: abort.signal })
  await gate.watched('42')
  abort.abort()
  await expect(reading).rejects.toThrow()
  await vi.waitFor(() => expect(gate.watching()).toBe(0))
})

test('a log that is trimmed during a reading gives one position, and the events after it', async () => {
  const gate = createGate({ maxEvents: 200 })
  const { jobs, read } = await serve({ log: gate.log })
  for (let n = 1; n <= 200; n += 1) await jobs.publish('42', 'progress', { n })
  gate.onRead(async () => {
    gate.onRead(() => {})
    for (let n = 201; n <= 350; n += 1) await jobs.publish('42', 'progress', { n })
  })
  const reading = await read('/42/events')
  expect(reading.jobs).toMatchObject([{ seq: 150, cursor: reading.events.at(-1)?.id }])
  expect(reading.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, n) => n + 151))
})

test('an expired job is 410, and a failure of the log is 503 without its message', async () => {
  const gate = createGate()
  const seen: unknown[] = []
  const { jobs, get } = await serve({ log: gate.log, onError: (error) => seen.push(error) })
  await jobs.publish('42', 'queued')
  gate.failWith(new Error('secret: redis://user:pass@host'))
  const failed = await get('/42/events')
  expect(failed.status).toBe(503)
  expect(failed.headers.get('retry-after')).toBe('5')
  const text = await failed.text()
  expect(text).not.toContain('secret')
  expect(JSON.parse(text)).toMatchObject({ code: 'busy', retryAfterMs: 5000 })
  expect((await get('/events?job=42&job=43')).status).toBe(503)
  expect(seen).toHaveLength(3)
  gate.failWith(gate.historyGone)
  for (const path of ['/42/events', '/42']) {
    const gone = await get(path)
    expect(gone.status).toBe(410)
    expect(await gone.json()).toMatchObject({ code: 'history-gone' })
  }
})
