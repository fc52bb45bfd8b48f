/** Real sockets, and somebody in between: what answers in place of the server in the middle of a job, and what changes its answers. */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import zlib from 'node:zlib'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createClient, longPoll, shortPoll, sse } from '../../src/index.ts'
import type { ClientOptions, Transport } from '../../src/types.ts'
import { type Between, type Intermediary, startIntermediary } from './intermediary.ts'
import { type Loop, run, upTo } from './world.ts'

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 20 })
const html = { 'content-type': 'text/html' }

beforeEach(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
})

/** Runs all cases at once, since each mostly waits. A failure names its case. */
async function all<C extends unknown[]>(cases: readonly (readonly [...C])[], check: (...of: C) => Promise<void>): Promise<void> {
  await Promise.all(
    cases.map((each) =>
      check(...each).catch((cause) => {
        throw new Error(`${JSON.stringify(each)}: ${cause.message}`, { cause })
      })
    )
  )
}

interface Following {
  server: Intermediary
  loop: Loop
}

/** A job of three events, which somebody has read. */
async function follow(between?: Between, options: ClientOptions = {}, refuses?: number): Promise<Following> {
  const server = Object.assign(await startIntermediary(), { between, refuses })
  for (const seq of upTo(3)) await server.jobs.publish('42', 'log', seq)
  const client = createClient({ url: server.base, memory: false, jobStorage: false, retry: { maxMs: 200 }, ...options })
  onTestFinished(client.close)
  const loop = run(client.subscribe('42'))
  await eventually(() => expect(loop.seqs).toEqual(upTo(3)))
  return { server, loop }
}

const ANSWERS: readonly (readonly [status: number, headers: Record<string, string>, body: string])[] = [
  ...[400, 401, 402, 403, 404, 405, 406, 410, 413, 414, 418, 421, 423, 425, 428, 429, 431, 451, 500, 503, 511, 520].map(
    (status) => [status, html, 'x'] as const
  ),
  [200, html, '<form>'],
  [200, {}, ''],
  [200, { 'content-type': 'application/json' }, '{}'],
  [200, { 'content-type': 'application/json' }, 'null'],
  [200, { 'content-type': 'text/event-stream' }, 'data: {"error":"x"}\n\n'],
  [204, {}, ''],
  [206, { 'content-type': 'application/json' }, '{}'],
  [302, { location: '/login' }, ''],
  [308, { location: 'http://127.0.0.1:1/' }, ''],
  [304, {}, ''],
  [404, { 'content-type': 'application/problem+json' }, '{"title":"Not Found","status":404}'],
  [400, { 'content-type': 'application/problem+json' }, 'null'],
  [503, { ...html, 'retry-after': '0' }, ''],
  [429, { ...html, 'retry-after': '1, 1' }, '']
]

test('in the middle of a job every request is answered by somebody in between: the job goes on where it was', async () => {
  await all(ANSWERS, async (status, headers, body) => {
    const { server, loop } = await follow()
    const before = server.requests
    server.between = (_, response) => response.writeHead(status, headers).end(body)
    server.refuses = status
    server.cut()
    await eventually(() => expect(server.requests - before).toBeGreaterThanOrEqual(status === 429 ? 1 : 4))
    Object.assign(server, { between: undefined, refuses: undefined })
    await server.jobs.publish('42', 'succeeded', 1)
    await eventually(() => expect(loop).toMatchObject({ state: 'ended', seqs: upTo(4) }))
  })
})

const without = (headers: IncomingHttpHeaders, name: string): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name))
const path = ({ url = '' }: IncomingMessage, ...names: string[]): string => {
  const { pathname, searchParams } = new URL(url, 'http://x')
  for (const name of names) searchParams.delete(name)
  return `${pathname}?${searchParams}`
}

/** Passes the answer on with other headers, and each piece of its body as `write` says. */
const passing =
  (
    change: (headers: IncomingHttpHeaders) => IncomingHttpHeaders,
    write = (piece: Buffer, response: ServerResponse): unknown => response.write(piece)
  ): Between =>
  (_, __, pass) =>
    pass({
      respond(answer, response) {
        const { 'content-length': ___, ...headers } = answer.headers
        response.writeHead(answer.statusCode ?? 500, change(headers))
        response.flushHeaders()
        answer.on('data', (piece: Buffer) => write(piece, response)).on('end', () => response.end())
      }
    })

/** Repeats the first answer to each URL for ever, unless it is a stream. */
function cache(): Between {
  const kept = new Map<string, [status: number, headers: IncomingHttpHeaders, body: Buffer]>()
  return ({ url = '', headers: { accept } }, response, pass) => {
    const known = kept.get(`${url} ${accept}`)
    if (known) return void response.writeHead(known[0], known[1]).end(known[2])
    pass({
      async respond(answer, response) {
        response.writeHead(answer.statusCode ?? 500, answer.headers).flushHeaders()
        const pieces: Buffer[] = []
        for await (const piece of answer) {
          pieces.push(piece)
          response.write(piece)
        }
        response.end()
        if (!/event-stream/.test(`${answer.headers['content-type']}`))
          kept.set(`${url} ${accept}`, [answer.statusCode ?? 500, answer.headers, Buffer.concat(pieces)])
      }
    })
  }
}

const CHANGES: readonly [what: string, between: () => Between][] = [
  [
    'drops the header of the cursor',
    () =>
      ({ headers }, _, pass) =>
        pass({ headers: without(headers, 'last-event-id') })
  ],
  ['drops the parameter of the cursor', () => (request, _, pass) => pass({ path: path(request, 'after') })],
  ['drops both', () => (request, _, pass) => pass({ path: path(request, 'after'), headers: without(request.headers, 'last-event-id') })],
  ['drops all parameters', () => (request, _, pass) => pass({ path: path(request, 'after', 'wait', 'window', 'fresh') })],
  [
    'writes content types in capitals, with parameters',
    () => passing((headers) => ({ ...headers, 'content-type': `${headers['content-type']};X=Y`.toUpperCase() }))
  ],
  ['passes on byte by byte', () => passing(Object, (piece, response) => [...piece].map((byte) => response.write(Buffer.from([byte]))))],
  ['ends lines with CR LF', () => passing(Object, (piece, response) => response.write(piece.toString('latin1').replaceAll('\n', '\r\n'), 'latin1'))],
  ['compresses', () => (_, __, pass) => pass({ respond: compress })],
  ['ends every answer after 300 ms', () => (_, response, pass) => void pass(void setTimeout(() => response.end(), 300))],
  ['answers every second request with a 502', () => alternating()],
  ['repeats old answers for ever', cache]
]

// With how many requests before there is news: a cache has an empty answer then.
test.each<[string, () => Transport[], number]>([
  ['an event stream', () => [sse()], 0],
  ['long polls', () => [longPoll()], 1],
  ['short polls', () => [shortPoll()], 2]
])('over %s each event comes once and in order, whatever is changed on the way', async (_, make, polls) => {
  await all(CHANGES, async (_, between) => {
    const { server, loop } = await follow(between(), { transports: make() }, 403)
    const before = server.requests
    await eventually(() => expect(server.requests - before).toBeGreaterThanOrEqual(polls))
    await server.jobs.publish('42', 'log', 'é☃ 😀')
    await eventually(() => expect(loop.events.at(-1)).toMatchObject({ seq: 4, data: 'é☃ 😀' }))
    server.cut()
    await server.jobs.publish('42', 'log', 5)
    await eventually(() => expect(loop.seqs).toEqual(upTo(5)))
    await server.jobs.publish('42', 'succeeded', 1)
    await eventually(() => expect(loop).toMatchObject({ state: 'ended', seqs: upTo(6) }))
  })
})

function compress(answer: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': _, ...headers } = answer.headers
  response.writeHead(answer.statusCode ?? 500, { ...headers, 'content-encoding': 'gzip' })
  response.flushHeaders()
  answer.pipe(zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH })).pipe(response)
}

function alternating(): Between {
  let count = 0
  return (_, response, pass) => (count++ % 2 ? pass() : void response.writeHead(502, html).end('x'))
}
