/** The `Backend` interface: two small backends against real servers that don't speak Jobtail's protocol. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createClient } from '../../src/core.ts'
import type { Backend, ClientOptions, Diagnostic, JobEvent } from '../../src/types.ts'
import { plainStream } from './plain-stream.ts'
import { type Status, statusDocument } from './status-document.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function serve(handle: http.RequestListener): Promise<string> {
  const server = http.createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/things` // as: it listens on a port
}

function clientOf(backend: Backend, options: Omit<ClientOptions, 'transports'>) {
  const diagnostics: Diagnostic[] = []
  const client = createClient({ backend, transports: backend.transports, retry: { baseMs: 10 }, onDiagnostic: (each) => diagnostics.push(each), ...options })
  closing.push(client.close)
  return { client, diagnostics }
}

/** Server-sent events whose ids are not Jobtail's cursors, without sequence numbers, and with a marker at the end. */
const idOf = (n: number): string => `urn:chunk/${n}?of=20 ü`

interface Streaming {
  requests: http.IncomingMessage[]
  /** Cuts the connection once, after this many events. */
  cutAfter?: number
  /** Sends this many events, then not a byte more. */
  silentAfter?: number
  token?: string
}

function streaming(state: Streaming): http.RequestListener {
  return (req, res) => {
    state.requests.push(req)
    if (state.token && req.headers.authorization !== `Bearer ${state.token}`) {
      res.writeHead(401, { 'content-type': 'text/plain', 'www-authenticate': 'Bearer error="invalid_token"' }).end('no')
      return
    }
    const given = req.headers['last-event-id']
    const last = given ? Number(/chunk\/(\d+)/.exec(decodeURIComponent(String(given)))?.[1]) : 0
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    for (let n = last + 1; n <= 20; n += 1) {
      if (state.silentAfter && n > state.silentAfter) return
      res.write(`id: ${idOf(n)}\ndata: ${JSON.stringify({ n })}\n\n`)
      if (n === state.cutAfter) {
        state.cutAfter = 0
        setImmediate(() => res.destroy())
        return
      }
    }
    res.end(`id: ${idOf(21)}\ndata: [DONE]\n\n`)
  }
}

const numbers = (events: readonly JobEvent[]): unknown[] => events.filter(({ type }) => type === 'output').map(({ data }) => (data as { n: number }).n) // as: the server's
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

describe('a plain event stream', () => {
  test("delivers each event once, to its marker, and resumes from the server's own ids after a cut", async () => {
    const state: Streaming = { requests: [], cutAfter: 7 }
    const { client } = clientOf(plainStream, { url: await serve(streaming(state)) })
    const events: JobEvent[] = []
    for await (const event of client.subscribe('a/b')) events.push(event)
    expect(numbers(events)).toEqual(upTo(20))
    expect(events.at(-1)).toMatchObject({ type: 'succeeded', seq: 21, id: idOf(21) })
    expect(events.map(({ id }) => id)).toEqual(upTo(21).map(idOf))
    expect(state.requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, encodeURIComponent(idOf(7))])
    expect(state.requests[0]?.url).toBe('/things/a%2Fb')
  })

  test('calls the token source once more after a 401 of anyone', async () => {
    const state: Streaming = { requests: [], token: 'new' }
    const tokens = ['old', 'new']
    const { client } = clientOf(plainStream, { url: await serve(streaming(state)), token: () => tokens.shift() })
    const events: JobEvent[] = []
    for await (const event of client.subscribe('1')) events.push(event)
    expect(numbers(events)).toEqual(upTo(20))
    expect(tokens).toEqual([])
  })

  test('may be silent for ever if it promises no heartbeat', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    try {
      const state: Streaming = { requests: [], silentAfter: 5 }
      const { client, diagnostics } = clientOf(plainStream, { url: await serve(streaming(state)) })
      const iterator = client.subscribe('1')[Symbol.asyncIterator]()
      for (let n = 1; n <= 5; n += 1) expect((await iterator.next()).value).toMatchObject({ data: { n } })
      await vi.advanceTimersByTimeAsync(24 * 3_600_000)
      expect(diagnostics.filter(({ type }) => type === 'lost')).toEqual([])
      expect(state.requests).toHaveLength(1)
      await iterator.return?.()
    } finally {
      vi.useRealTimers()
    }
  })

  test('rejects missing operations by name, and its events alone give state and result', async () => {
    const { client } = clientOf(plainStream, { url: await serve(streaming({ requests: [] })) })
    await expect(client.start({})).rejects.toMatchObject({ code: 'unsupported' })
    const job = client.subscribe('1')
    await expect(job.cancel()).rejects.toMatchObject({ code: 'unsupported' })
    await expect(job.result).resolves.toBeNull()
    expect(job.state).toMatchObject({ status: 'succeeded', lastEventId: idOf(21) })
  })
})

function polled(statuses: Status[]): { handle: http.RequestListener; asked: string[] } {
  const asked: string[] = []
  const handle: http.RequestListener = (req, res) => {
    asked.push(`${req.method} ${req.url}`)
    const status = statuses.length > 1 ? statuses.shift() : statuses[0]
    if (req.method === 'POST') res.writeHead(202).end()
    else res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status))
  }
  return { handle, asked }
}

describe('a status document', () => {
  test('delivers each change once, to its end', async () => {
    const running = (percent: number): Status => ({ state: 'RUNNING', percent })
    const { handle } = polled([
      { state: 'PENDING', percent: 0 },
      running(10),
      running(10),
      running(10),
      running(40),
      running(40),
      { state: 'DONE', percent: 100, output: { rows: 3 } }
    ])
    const { client } = clientOf(statusDocument(5), { url: await serve(handle), firstLook: false })
    const events: JobEvent[] = []
    const job = client.subscribe('report-1')
    for await (const event of job) events.push(event)
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['progress', { ratio: 0 }],
      ['progress', { ratio: 0.1 }],
      ['progress', { ratio: 0.4 }],
      ['progress', { ratio: 1 }],
      ['succeeded', { rows: 3 }]
    ])
    await expect(job.result).resolves.toEqual({ rows: 3 })
  })

  test('gives the state, has its own cancel, and its own rule for ids', async () => {
    const { handle, asked } = polled([{ state: 'BROKEN', percent: 30 }])
    const { client } = clientOf(statusDocument(5), { url: await serve(handle) })
    const job = client.subscribe('report-2')
    await expect(job.result).rejects.toMatchObject({ name: 'JobFailedError', code: 'broken' })
    expect(job.state).toMatchObject({ status: 'failed', progress: { ratio: 0.3 } })
    await job.cancel()
    expect(asked.at(-1)).toBe('POST /things/report-2/abort')
    expect(() => client.subscribe('42')).toThrow('job id: expected an id that begins with "report-"')
  })
})
