/** What a call of `Follow` may ask for, and what is done about a reader that does not read. */

import { Code, ConnectError } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { FollowRequest, Frame } from '../../src/connect/jobtail/v1/jobs_pb.ts'
import { connectOptions } from '../../src/server/connect.ts'
import { createJobServer, type JobServer, type JobServerOptions } from '../../src/server/index.ts'
import { allOf, callerOf, serveConnect } from '../connect/serve.ts'
import { LARGE_BYTES, LARGE_EVENTS, largeLog } from './defence/large-log.ts'
import { openRaw } from './defence/raw.ts'

async function stage(options: JobServerOptions = {}) {
  const served = await serveConnect(options)
  onTestFinished(served.close)
  const service = callerOf(createConnectTransport({ baseUrl: served.url, httpVersion: '1.1' }))
  return {
    ...served,
    port: Number(new URL(served.url).port),
    service,
    read: async (request: Partial<Pick<FollowRequest, 'once' | 'windowBytes'>>, ...jobs: { job: string; after?: string }[]) =>
      (await allOf(service.follow({ ...request, jobs }))).flatMap(({ frames }) => frames)
  }
}

const casesOf = (frames: readonly Frame[]) => frames.map(({ frame: { case: name, value } }) => (name === 'event' ? `${value.job} ${value.seq}` : name))
const lastOf = (frames: readonly Frame[]) => frames.at(-1)?.frame
const errorOf = (call: Promise<unknown>): Promise<ConnectError> => call.then(() => expect.fail('it did not fail'), ConnectError.from)

test('of several jobs, one that may not be read has an error of its own', async () => {
  const { jobs, read } = await stage({ authorize: ({ jobId }) => (jobId === 'b' ? { status: 403 } : true) })
  await jobs.publish('a', 'succeeded')
  const had = await read({}, { job: 'a' }, { job: 'b' }, { job: 'c' })
  expect(casesOf(had)).toEqual(['hello', 'error', 'subscribed', 'a 1', 'done', 'error'])
  expect(had[1]?.frame.value).toMatchObject({ job: 'b', status: 403, code: 'forbidden' })
  expect(had[5]?.frame.value).toMatchObject({ job: 'c', status: 404, code: 'unknown-job' })
})

test('a reading begins after the cursor, and a used-up window ends it', async () => {
  const { jobs, read } = await stage()
  for (const step of [1, 2, 3, 4]) await jobs.publish('a', 'output', 'x'.repeat(step * 100))
  const { events = [] } = (await jobs.log.read('a', undefined, 10)) ?? {}
  const had = await read({ windowBytes: 300n }, { job: 'a', after: events[0]?.id ?? '' })
  expect(casesOf(had)).toEqual(['hello', 'subscribed', 'a 2', 'bye'])
  expect(lastOf(had)?.value).toMatchObject({ reason: 'window', retryMs: 0n })
})

test('a reading that reads once waits for nothing, and says whether there is more', async () => {
  const { jobs, read } = await stage({ shortPollPauseMs: 777 })
  for (const step of [1, 2]) await jobs.publish('a', 'output', 'x'.repeat(step * 100))
  const all = await read({ once: true }, { job: 'a' })
  expect(casesOf(all)).toEqual(['hello', 'subscribed', 'a 1', 'a 2', 'end'])
  expect(all[0]?.frame.value).toMatchObject({ pollMs: 777n })
  expect(lastOf(all)?.value).toMatchObject({ more: false })
  const part = await read({ once: true, windowBytes: 1n }, { job: 'a' })
  expect(casesOf(part)).toEqual(['hello', 'subscribed', 'a 1', 'end'])
  expect(lastOf(part)?.value).toMatchObject({ more: true })
  await vi.waitFor(() => expect(jobs.metrics().connections['short-poll']).toBe(0))
})

test('a reading that reads once, and is stopped by a close, says that there is more', async () => {
  const { jobs, service } = await stage({ log: largeLog() })
  const messages = service.follow({ jobs: [{ job: 'large-one' }], once: true })[Symbol.asyncIterator]()
  const had: Frame[] = []
  const take = async (): Promise<boolean> => {
    const { done, value } = await messages.next()
    if (!done) had.push(...value.frames)
    return !done
  }
  while (had.length < 5) await take()
  const closed = jobs.close()
  while (await take());
  await closed
  expect(lastOf(had)?.value).toMatchObject({ more: true })
  expect(casesOf(had)).not.toContain('bye')
  expect(had.length).toBeLessThan(LARGE_EVENTS)
})

test('a deadline is kept by the server too', async () => {
  const { jobs, url } = await stage()
  await jobs.publish('a', 'queued')
  const headers = { 'content-type': 'application/connect+json', 'connect-timeout-ms': '100' }
  const answer = await fetch(`${url}jobtail.v1.JobService/Follow`, { method: 'POST', headers, body: enveloped({ jobs: [{ job: 'a' }] }) })
  expect(await answer.text()).toContain('"code":"deadline_exceeded"')
})

test('a permission that ends says bye, and heartbeats come before that', async () => {
  const { jobs, read } = await stage({ heartbeatMs: 50, authorize: () => ({ allow: true, expiresAt: Date.now() + 300 }) })
  await jobs.publish('a', 'queued')
  const had = await read({}, { job: 'a' })
  expect(casesOf(had).slice(0, 4)).toEqual(['hello', 'subscribed', 'a 1', 'heartbeat'])
  expect(lastOf(had)?.value).toMatchObject({ reason: 'auth' })
})

test.each([
  [{}, [], 'jobs: expected at least one, got none'],
  [{}, [{ job: 'a' }, { job: 'a' }], 'job: expected each job once, got one twice'],
  [{}, [{ job: '' }], 'job: expected an id'],
  [{}, [{ job: 'a', after: 'x y' }], 'after: expected a cursor'],
  [{ windowBytes: -1n }, [{ job: 'a' }], 'window_bytes: expected a number of bytes'],
  [{}, Array.from({ length: 3 }, (_, index) => ({ job: `${index}` })), 'job: expected at most 2']
])('%o of %o is refused', async (request, asked, message) => {
  const { read } = await stage({ maxJobsPerConnection: 2 })
  const error = await errorOf(read(request, ...asked))
  expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringContaining(message)])
})

test.each([
  ['snapshot', (service: Service) => service.snapshot({ job: '' }), Code.InvalidArgument],
  ['cancel', (service: Service) => service.cancel({ job: '..' }), Code.InvalidArgument],
  ['start, of a server that starts none', (service: Service) => service.start({}), Code.Unimplemented],
  ['start with a key that no header carries', (service: Service) => service.start({ idempotencyKey: 'a\nb' }), Code.InvalidArgument],
  [
    'a cancel from a page of another origin',
    (service: Service) => service.cancel({ job: 'a' }, { headers: { origin: 'https://evil.example' } }),
    Code.PermissionDenied
  ]
])('%s is refused', async (_, call, code) => {
  const { service, jobs } = await stage()
  await jobs.publish('a', 'queued')
  expect((await errorOf(call(service))).code).toBe(code)
})
type Service = Awaited<ReturnType<typeof stage>>['service']

test('hosts are checked', async () => {
  const { service, jobs } = await stage({ hosts: ['app.example'], trustForwardedHost: true })
  await jobs.publish('a', 'succeeded')
  const follow = async (host: string) =>
    (await allOf(service.follow({ jobs: [{ job: 'a' }] }, { headers: { 'x-forwarded-host': host } }))).flatMap(({ frames }) => frames)
  expect(casesOf(await follow('app.example'))).toContain('done')
  expect((await errorOf(follow('evil.example'))).code).toBe(Code.PermissionDenied)
})

test('an answer may not be stored, buffered or taken for another type', async () => {
  const { jobs, url } = await stage()
  await jobs.publish('a', 'succeeded')
  const json = { method: 'POST', headers: { 'content-type': 'application/json' } }
  const snapshot = await fetch(`${url}jobtail.v1.JobService/Snapshot`, { ...json, body: '{"job":"a"}' })
  expect(await snapshot.json()).toMatchObject({ snapshot: { id: 'a', status: 'succeeded', seq: '1', resultJson: 'null' } })
  expect(snapshot.headers.get('cache-control')).toBe('private, no-store')
  const stream = await fetch(`${url}jobtail.v1.JobService/Follow`, {
    method: 'POST',
    headers: { 'content-type': 'application/connect+json' },
    body: enveloped({ jobs: [{ job: 'a' }] })
  })
  await stream.text()
  const names = ['cache-control', 'x-accel-buffering', 'incremental', 'x-content-type-options']
  expect(names.map((name) => stream.headers.get(name))).toEqual(['private, no-store, no-transform', 'no', '?1', 'nosniff'])
})

const enveloped = (value: unknown): string => {
  const text = JSON.stringify(value)
  return `\0\0\0\0${String.fromCharCode(text.length)}${text}`
}
const post = (value: unknown): string =>
  [
    'POST /jobtail.v1.JobService/Follow HTTP/1.1',
    'Host: x',
    'Content-Type: application/connect+json',
    `Content-Length: ${enveloped(value).length}`,
    '',
    enveloped(value)
  ].join('\r\n')

/** Resolves once nothing more is handed out: until the buffers of the system are full, a reader that does not read goes on. */
async function untilStalled(jobs: JobServer): Promise<number> {
  let before = -1
  await vi.waitFor(
    () => {
      const now = jobs.metrics().delivered.connect
      const isSame = now === before
      before = now
      expect(isSame).toBe(true)
    },
    { timeout: 30_000, interval: 500 }
  )
  return before
}

describe('a reader that does not read', () => {
  // Connect's adapter logs each call whose connection is destroyed.
  beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}))
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  test('costs only its buffers, and goes on where it stopped', async () => {
    const { jobs, port } = await stage({ log: largeLog() })
    const stalled = await openRaw(port, post({ jobs: [{ job: 'large-stalled' }] }), LARGE_BYTES / 10)
    await vi.waitFor(() => expect(stalled.received).toBeGreaterThanOrEqual(LARGE_BYTES / 10), { timeout: 60_000 })
    expect(await untilStalled(jobs)).toBeLessThan(LARGE_EVENTS)
    const before = stalled.received
    stalled.resume()
    await vi.waitFor(() => expect(stalled.received).toBeGreaterThan(before), { timeout: 60_000 })
  }, 120_000)

  test('is said bye in time, and cut a little later', async () => {
    const { jobs, port } = await stage({ log: largeLog(), heartbeatMs: 1000 })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const stalled = await openRaw(port, post({ jobs: [{ job: 'large-stalled' }] }), 1)
    await untilStalled(jobs)
    expect(jobs.metrics().byes).toEqual({})
    // Two heartbeats, and the time that 100 kB take at 16 kB a second. Where the system's buffers still grow, it begins anew.
    for (const since = process.hrtime(); !jobs.metrics().byes.slow && process.hrtime(since)[0] < 30; ) {
      await vi.advanceTimersByTimeAsync(500)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(jobs.metrics()).toMatchObject({ byes: { slow: 1 }, connections: { connect: 1 } })
    await vi.advanceTimersByTimeAsync(2000)
    expect(jobs.metrics().connections.connect).toBe(0)
    vi.useRealTimers()
    stalled.resume()
    await stalled.closed
  }, 60_000)
})

test('connectOptions takes a job server and nothing else', () => {
  expect(() => connectOptions({} as never)).toThrow(new TypeError('expected a server that createJobServer has made, got [object Object]')) // as: a caller without types
  const jobs = createJobServer()
  onTestFinished(() => jobs.close())
  const { contextValues } = connectOptions({ ...jobs })
  const node = { socket: {} } as never // as: it is only handed on
  const isSame = (one: object, other: object) => expect(JSON.stringify(one)).toBe(JSON.stringify(other))
  isSame(contextValues(node), contextValues({ raw: node }))
})
