/** The service `jobtail.v1.JobService` of a job server, as any client of Connect, gRPC-Web or gRPC calls it. */

import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Frame, ProblemSchema } from '../../src/connect/jobtail/v1/jobs_pb.ts'
import { JobError, type JobServerOptions, LogError, memoryLog, wrapLog } from '../../src/server/index.ts'
import { allOf, callerOf, serveConnect } from '../connect/serve.ts'

const WAYS: readonly (readonly [name: string, version: 1 | 2, make: (baseUrl: string) => Transport])[] = [
  ['Connect over HTTP/1.1', 1, (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false })],
  ['gRPC-Web over HTTP/1.1', 1, (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
  ['gRPC over HTTP/2', 2, (baseUrl) => createGrpcTransport({ baseUrl })]
]

async function stage(options: JobServerOptions = {}, [, version, make]: (typeof WAYS)[number] = WAYS[0] as (typeof WAYS)[number]) {
  const served = await serveConnect(options, version)
  onTestFinished(served.close)
  return { ...served, service: callerOf(make(served.url)) }
}

/** A log of its own for each server: a server closes its log. */
const gone = {
  get log() {
    const read = () => Promise.reject(new LogError('history-gone', 'it was dropped'))
    return wrapLog(memoryLog(), { read })
  }
}

const casesOf = (frames: readonly Frame[]) => frames.map(({ frame }) => frame.case)
const errorOf = (call: Promise<unknown>): Promise<ConnectError> => call.then(() => expect.fail('it did not fail'), ConnectError.from)
const problemOf = (error: ConnectError) => error.findDetails(ProblemSchema).map(({ status, code }) => ({ status, code }))

describe.each(WAYS)('%s', (...way) => {
  test('says hello at once, then the events, then done; and ends without an error', async () => {
    const { service, jobs } = await stage({ heartbeatMs: 60_000 }, way)
    await jobs.publish('42', 'queued')
    const had: Frame[] = []
    const done = (async () => {
      for await (const response of service.follow({ jobs: [{ job: '42' }] })) had.push(...response.frames)
    })()
    await vi.waitFor(() => expect(casesOf(had)).toEqual(['hello', 'subscribed', 'event']), { timeout: 10_000 })
    await jobs.publish('42', 'succeeded', { ok: true })
    await done
    expect(casesOf(had)).toEqual(['hello', 'subscribed', 'event', 'event', 'done'])
    await vi.waitFor(() => expect(jobs.metrics().connections.connect).toBe(0))
    expect(had[0]?.frame.value).toMatchObject({ protocol: 1, heartbeatMs: 60_000n, mux: 128 })
    expect(had[3]?.frame.value).toMatchObject({ seq: 2n, job: '42', type: 'succeeded', dataJson: '{"ok":true}' })
  })

  test.each<[what: string, options: JobServerOptions, job: string, code: Code, problem: object]>([
    ['an unknown job', {}, 'none', Code.NotFound, { status: 404, code: 'unknown-job' }],
    ['no credentials', { authorize: () => false }, '42', Code.Unauthenticated, { status: 401, code: 'unauthorized' }],
    ['no permission', { authorize: () => ({ status: 403 }) }, '42', Code.PermissionDenied, { status: 403, code: 'forbidden' }],
    ['a log that is gone', gone, '42', Code.DataLoss, { status: 410, code: 'history-gone' }],
    ['no room', { maxReadersPerAddress: 1 }, '42', Code.ResourceExhausted, { status: 429, code: 'busy' }],
    ['an id that is none', {}, '..', Code.InvalidArgument, { status: 400, code: 'bad-request' }]
  ])('%s is the status of the call, with the problem among its details', async (what, options, job, code, problem) => {
    const { service, jobs } = await stage(options, way)
    await jobs.publish('42', 'queued')
    if (what === 'no room') {
      const held = service.follow({ jobs: [{ job: '42' }] })[Symbol.asyncIterator]()
      await held.next()
      onTestFinished(async () => void (await held.return?.()))
    }
    const error = await errorOf(allOf(service.follow({ jobs: [{ job }] })))
    expect({ code: error.code, problems: problemOf(error) }).toEqual({ code, problems: [problem] })
    if (code === Code.ResourceExhausted) expect(error.metadata.get('retry-after')).toBe('5')
    expect(jobs.metrics().rejected).toEqual({ [(problem as { status: number }).status]: 1 }) // as: see the table
  })

  test('a deadline ends the call, and what it held', async () => {
    const { service, jobs } = await stage({}, way)
    await jobs.publish('42', 'queued')
    const error = await errorOf(allOf(service.follow({ jobs: [{ job: '42' }] }, { timeoutMs: 200 })))
    expect(error.code).toBe(Code.DeadlineExceeded)
    await vi.waitFor(() => expect(jobs.metrics().connections.connect).toBe(0))
  })

  test('a client that leaves gives its place back', async () => {
    const { service, jobs } = await stage({}, way)
    await jobs.publish('42', 'queued')
    const leaving = new AbortController()
    const call = allOf(service.follow({ jobs: [{ job: '42' }] }, { signal: leaving.signal }))
    await vi.waitFor(() => expect(jobs.metrics().connections.connect).toBe(1), { timeout: 10_000 })
    leaving.abort()
    expect((await errorOf(call)).code).toBe(Code.Canceled)
    await vi.waitFor(() => expect(jobs.metrics().connections.connect).toBe(0), { timeout: 10_000 })
  })

  test('a server that closes says bye, ends calls without an error, and takes no more', async () => {
    const { service, jobs } = await stage({}, way)
    await jobs.publish('42', 'queued')
    const call = allOf(service.follow({ jobs: [{ job: '42' }] }))
    await vi.waitFor(() => expect(jobs.metrics().connections.connect).toBe(1), { timeout: 10_000 })
    await jobs.close()
    expect((await call).at(-1)?.frames.at(-1)?.frame).toMatchObject({ case: 'bye', value: { reason: 'shutdown' } })
    const error = await errorOf(service.snapshot({ job: '42' }))
    expect([error.code, error.metadata.get('retry-after'), problemOf(error)]).toEqual([Code.Unavailable, '1', [{ status: 503, code: 'busy' }]])
  })

  test('a job is started once for a key, cancelled with a reason, and read', async () => {
    const seen: string[] = []
    const { service } = await stage(
      {
        authorize: ({ action, jobId, source: { node, address } }) => {
          seen.push(`${action} ${jobId !== undefined} ${node?.httpVersionMajor} ${address}`)
          return { allow: true, subject: 'ann' }
        },
        idOf: ({ id, subject }) => `${subject}.${id}`,
        start: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new JobError('stopped', 'it was stopped'))))
      },
      way
    )
    const first = await service.start({ inputJson: '{"year":2026}', idempotencyKey: 'k' })
    const again = await service.start({ inputJson: '{"year":2026}', idempotencyKey: 'k' })
    const job = first.snapshot?.id ?? ''
    expect(job).toMatch(/^ann\./)
    expect(again.snapshot?.id).toBe(job)
    expect((await service.cancel({ job, reason: 'enough' })).snapshot).toMatchObject({ id: job, cancellingJson: '{"reason":"enough"}' })
    await vi.waitFor(async () => expect((await service.snapshot({ job })).snapshot).toMatchObject({ status: 'cancelled' }), { timeout: 10_000 })
    const other = await errorOf(service.start({ inputJson: '1', idempotencyKey: 'k' }))
    expect([other.code, problemOf(other)]).toEqual([Code.InvalidArgument, [{ status: 422, code: 'bad-request' }]])
    expect(seen.slice(0, 2)).toEqual([`start false ${way[1]} 127.0.0.1`, `start false ${way[1]} 127.0.0.1`])
  })
})
