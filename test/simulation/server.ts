/** The simulated server: serves its logs as JSON, event stream and WebSocket, by PROTOCOL.md. */

import { type ByeReason, type Frame, type Hello, isControl, type Operation } from '../../src/protocol/frames.ts'
import { SUBPROTOCOL } from '../../src/protocol/rules.ts'
import { encodeFrame } from '../../src/server/encode.ts'
import { asksOf, LINES, refuse, reply, replyLines } from './answer.ts'
import { clock } from './clock.ts'
import type { Connection } from './connection.ts'
import type { Kind } from './faults.ts'
import { type Ask, createFollow } from './follow.ts'
import { createLog, type Log } from './log.ts'
import { framesOf, readingOf } from './reading.ts'
import { createStream, EVENT_BYTES, type Stream, sseText } from './stream.ts'

export interface ServerOptions {
  heartbeatMs: number
  pollMs: number
  mux: number
  /** The most events of a job in one write of a stream. */
  pageSize: number
  /** Whether it respects windows. */
  hasWindows: boolean
  /** Whether single reads are answered as NDJSON. */
  hasLines: boolean
  /** The pause between a wake-up and the reading of the log. */
  delayMs: number
  /** The pause between a stream's `hello` and its first page, as with a slow log. */
  openMs: number
  /** Whether long polls are answered at once. */
  ignoresWait: boolean
  /** Whether requests need a token. */
  hasTokens: boolean
  /** A frame is sent to a client. */
  onSent(connection: Connection, frame: Frame): void
  /** The window of a stream is used up. */
  onWindow(connection: Connection): void
  /** A stream was closed with a bye. */
  onBye(connection: Connection): void
  /** A client was asked to pause until then. */
  onPostponed(connection: Connection, until: number): void
}

/** A long poll that waits. */
interface Waiting {
  connection: Connection
  jobs: ReadonlySet<string>
  answer(): void
  isNews(): boolean
}

export interface Server {
  readonly logs: ReadonlyMap<string, Log>
  readonly token: string
  create(job: string): Log
  accept(connection: Connection): void
  // Changed by steps.
  mux: number
  isDown: boolean
  busyUntil: number
  /** How many open connections of a client, except dead ones, read the job. */
  readingsOf(client: number, job: string): number
  /** Whether the window of one of a client's connections is used up. */
  isUsedUp(client: number): boolean
  renewToken(): void
  revoke(): void
  /** Returns the kinds of the streams that got it. */
  bye(reason: ByeReason, retryMs: number, isMeant: (kind: Kind) => boolean): Kind[]
  sayAgain(job: string, by: number): Kind[]
  sendAgain(job: string, by: number): Kind[]
  refuseJob(job: string, status: number, code: string, retryAfterMs?: number): Kind[]
}

/** The most events of a job in one JSON answer. */
const ANSWER_SIZE = 30
const LINGER_MS = 10_000

export function createServer(options: ServerOptions): Server {
  const { heartbeatMs, pollMs, delayMs, hasTokens } = options
  const logs = new Map<string, Log>()
  const streams = new Set<Stream>()
  const waiting = new Set<Waiting>()
  let tokens = 1
  let isRevoked = false
  let isWoken = false

  function wake(): void {
    if (isWoken) return
    isWoken = true
    clock.after(delayMs, () => {
      isWoken = false
      for (const stream of [...streams]) stream.pump()
      for (const each of [...waiting]) if (each.isNews()) each.answer()
    })
  }

  // ---- access

  const presented = ({ request: { headers, protocols } }: Connection): string | undefined => {
    const offered = protocols.find((each) => each.startsWith('bearer.'))
    return offered ? atob(offered.slice('bearer.'.length)) : headers.get('authorization')?.replace('Bearer ', '')
  }

  function refusalOf(connection: Connection): { status: number; code: string; retryAfterMs?: number } | undefined {
    if (clock.now < server.busyUntil) options.onPostponed(connection, server.busyUntil)
    if (clock.now < server.busyUntil) return { status: 503, code: 'busy', retryAfterMs: Math.ceil(server.busyUntil - clock.now) }
    if (hasTokens && (isRevoked || presented(connection) !== server.token)) return { status: 401, code: 'unauthorized' }
    return undefined
  }

  function accept(connection: Connection): void {
    if (server.isDown) return connection.reset()
    const { kind, request } = connection
    if (kind === 'websocket') return acceptSocket(connection)
    const refused = refusalOf(connection)
    if (refused) return refuse(connection, refused.status, refused.code, refused.retryAfterMs)
    if (!request.url.pathname.endsWith('/events')) return answerSnapshot(connection)
    const asks = asksOf(connection)
    const only = asks.length === 1 ? asks[0] : undefined
    const log = only && logs.get(only.job)
    if (only && !log) return refuse(connection, 404, 'unknown-job')
    if (log?.refusal) return refuse(connection, log.refusal, log.refusal === 403 ? 'forbidden' : 'history-gone')
    if (kind === 'sse') return acceptStream(connection, asks)
    answerReading(connection, asks)
  }

  function answerSnapshot(connection: Connection): void {
    const log = logs.get(decodeURIComponent(connection.request.url.pathname.slice('/jobs/'.length)))
    if (!log) return refuse(connection, 404, 'unknown-job')
    if (log.refusal) return refuse(connection, log.refusal, log.refusal === 403 ? 'forbidden' : 'history-gone')
    reply(connection, 200, log.snapshot())
  }

  function answerReading(connection: Connection, asks: readonly Ask[]): void {
    const { url, headers } = connection.request
    const waitS = Number(url.searchParams.get('wait') ?? headers.get('prefer')?.replace('wait=', '') ?? 0)
    const follow = createFollow(logs)
    for (const ask of asks) follow.subscribe(ask)
    const size = Math.min(ANSWER_SIZE, Math.max(1, Math.floor(windowOf(connection) / EVENT_BYTES)))
    const first = readingOf(follow, size, asks)
    const answer = ({ isMoved: _, ...reading }: ReturnType<typeof readingOf>): void => {
      for (const event of reading.events) options.onSent(connection, event)
      if (options.hasLines && headers.get('accept')?.includes(LINES))
        return replyLines(connection, [{ ...hello(), pollMs }, ...framesOf(reading), { control: 'end', more: reading.more ?? false }])
      reply(connection, 200, { protocol: 1, heartbeatMs, mux: server.mux, pollMs, ...reading })
    }
    const isNews = first.events.length > 0 || follow.size < asks.length || first.isMoved
    if (isNews || !waitS || options.ignoresWait) return answer(first)
    const each: Waiting = {
      connection,
      jobs: follow.jobs,
      // Always from where the first reading began: its answer was not sent.
      isNews: () => asks.some(({ job }) => follow.isNews(job)),
      answer() {
        stop()
        const again = createFollow(logs)
        for (const ask of first.jobs) if ('cursor' in ask) again.subscribe({ job: ask.job, after: ask.cursor })
        answer(readingOf(again, size, asks))
      }
    }
    const callOff = clock.after(waitS * 1000, each.answer)
    const stop = (): void => {
      callOff()
      waiting.delete(each)
    }
    connection.server = { data() {}, gone: stop }
    waiting.add(each)
  }

  // ---- streams

  const hello = (): Hello => ({ control: 'hello', protocol: 1, heartbeatMs, mux: server.mux })

  const windowOf = ({ request: { url } }: Connection): number => (options.hasWindows && Number(url.searchParams.get('window'))) || Number.POSITIVE_INFINITY

  function acceptStream(connection: Connection, asks: readonly Ask[]): void {
    const [only] = asks
    const log = asks.length === 1 && only ? logs.get(only.job) : undefined
    if (log?.ended && only?.after) {
      const { epoch, seq } = log.placeOf(only.after)
      if (seq === epoch.events.length && (only.after === 'tail' || only.after === `${epoch.name}-${seq}`)) {
        connection.head(204, {})
        return connection.end()
      }
    }
    const follow = createFollow(logs)
    for (const ask of asks) follow.subscribe(ask)
    const each = createStream({
      ...options,
      ...{ connection, follow, streams, windowBytes: windowOf(connection) },
      encode: (frames) => connection.data(frames.map(sseText).join('')),
      over: () => each.close(1000),
      usedUp() {
        each.write([{ control: 'bye', reason: 'window', retryMs: 0 }])
        each.close(1000)
      }
    })
    connection.head(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    each.write([hello()])
    each.open()
  }

  function acceptSocket(connection: Connection): void {
    if (!connection.request.protocols.includes(SUBPROTOCOL)) return connection.reset()
    connection.head(101, {})
    connection.data(encodeFrame(hello()))
    const refused = refusalOf(connection)
    if (refused) {
      connection.data(encodeFrame({ control: 'error', message: 'refused', ...refused }))
      return connection.end(4000 + refused.status)
    }
    const follow = createFollow(logs)
    let callOffLinger: (() => void) | undefined
    const encode = (frames: readonly Frame[]): void => {
      const texts = frames.map(encodeFrame)
      connection.data(texts.length === 1 ? texts.join() : `[${texts.join(',')}]`)
    }
    const each = createStream({
      ...options,
      ...{ connection, follow, streams, encode, windowBytes: windowOf(connection) },
      usedUp() {},
      over(last) {
        if (last && isControl(last) && last.control === 'error') return each.close(4000 + last.status)
        callOffLinger ??= clock.after(LINGER_MS, () => each.close(1000))
      }
    })
    const gone = connection.server?.gone
    connection.server = {
      gone() {
        callOffLinger?.()
        gone?.()
      },
      data(text) {
        const operation = JSON.parse(text) as Operation // as: the client's
        if (operation.op === 'ping') return encode([{ control: 'pong' }])
        if (operation.op === 'unsubscribe') follow.unsubscribe(operation.job)
        else if (operation.op === 'subscribe') follow.subscribe(operation)
        else each.grant(operation.bytes)
        if (follow.size > 0) {
          callOffLinger?.()
          callOffLinger = undefined
        }
        clock.after(delayMs, () => streams.has(each) && each.pump())
      }
    }
    for (const ask of asksOf(connection)) follow.subscribe(ask)
    each.open()
  }

  const server: Server = {
    logs,
    get token() {
      return `token-${tokens}`
    },
    create(job) {
      const log = createLog(job, wake)
      logs.set(job, log)
      return log
    },
    accept,
    mux: options.mux,
    isDown: false,
    busyUntil: 0,
    readingsOf: (client, job) => {
      const isMeant = ({ connection, follow }: Stream): boolean => connection.client === client && connection.isHeard && follow.jobs.has(job)
      const isHeld = ({ connection, jobs }: Waiting): boolean => connection.client === client && jobs.has(job)
      return [...[...streams].filter(isMeant), ...[...waiting].filter(isHeld)].filter(({ connection }) => connection.isOpen && !connection.isDead).length
    },
    isUsedUp: (client) =>
      [...streams].some(
        ({ connection, isUsedUp }) => isUsedUp && connection.client === client && connection.isHeard && connection.isOpen && !connection.isDead
      ),
    renewToken() {
      tokens += 1
    },
    revoke() {
      isRevoked = true
    },
    bye(reason, retryMs, isMeant) {
      for (const each of [...waiting]) if (isMeant(each.connection.kind)) each.answer()
      const meant = [...streams].filter(({ connection }) => isMeant(connection.kind) && connection.isOpen && !connection.isDead)
      for (const each of meant) {
        options.onBye(each.connection)
        each.write([{ control: 'bye', reason, retryMs }])
        each.close(1001)
      }
      return meant.map(({ connection }) => connection.kind)
    },
    sayAgain(job, by) {
      const meant = [...streams].filter(({ connection, follow }) => connection.isOpen && !connection.isDead && follow.rewind(job, by))
      for (const each of meant) each.pump()
      return meant.map(({ connection }) => connection.kind)
    },
    sendAgain(job, by) {
      const meant = [...streams].filter(({ connection, follow }) => connection.isOpen && !connection.isDead && follow.jobs.has(job))
      return meant.filter((each) => each.sendAgain(job, by)).map(({ connection }) => connection.kind)
    },
    refuseJob(job, status, code, retryAfterMs) {
      const meant = [...streams].filter(({ connection, follow }) => connection.isOpen && !connection.isDead && follow.jobs.has(job))
      for (const each of meant) {
        each.write(each.follow.fail(job, status, code, retryAfterMs))
        each.pump()
      }
      return meant.map(({ connection }) => connection.kind)
    }
  }
  return server
}
