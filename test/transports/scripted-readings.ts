/** The kinds of readings, and what the scripted server does in their place when it is told to. */

import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'
import { type Frame, isControl, type Operation, type Reading, type WireEvent } from '../../src/protocol/frames.ts'
import type { Positions, ScriptedLog } from './scripted-log.ts'

export type Kind = 'websocket' | 'sse' | 'ndjson' | 'json'

const TYPES = { websocket: '', sse: 'text/event-stream; charset=utf-8', ndjson: 'application/x-ndjson', json: 'application/json' }

export interface Received {
  kind: Kind
  url: URL
  headers: IncomingHttpHeaders
  /** What a WebSocket client has sent. */
  operations: Operation[]
  /** The connection has ended; for JSON, the exchange. */
  closed: boolean
}

/** What happens to each request in place of an answer. */
export type Fault =
  | { do: 'hang' }
  /** An intermediary's page; a WebSocket handshake is refused with it. */
  | { do: 'page'; status: number }
  | { do: 'problem'; status: number; code: string; retryAfterS?: number }
  /** This text in place of a frame, or of an answer's body. */
  | { do: 'text'; text: string }

/** Anything that reports its end. */
export interface Over {
  once(event: 'close', listener: () => void): unknown
}

/** A reading that is open. */
export interface Follower {
  positions: Positions
  wake(): void
  /** Bytes that only show that the connection is alive. */
  beat(): void
  /** A planned, clean end. */
  finish(): void
}

export interface Context {
  log: ScriptedLog
  hello: { protocol: number; heartbeatMs: number; mux: number }
  pollMs: number
  pageSize: number
  follow(follower: Follower, over: Over): void
}

/** The jobs of a request, each at its position. */
export function positionsOf({ url, headers }: Received, log: ScriptedLog): Positions {
  const single = /\/jobs\/([^/]+)\/events$/.exec(url.pathname)?.[1]
  const after = url.searchParams.getAll('after')
  if (single === undefined) return new Map(url.searchParams.getAll('job').map((job, index) => [job, log.positionOf(job, after[index])]))
  const job = decodeURIComponent(single)
  return new Map([[job, log.positionOf(job, headers['last-event-id']?.toString() ?? after[0])]])
}

export function stream(entry: Received, response: ServerResponse, { log, hello, follow }: Context): void {
  const positions = positionsOf(entry, log)
  const ended = [...positions].every(([job, position]) => log.isAtEnd(job, position))
  const isSse = entry.kind === 'sse'
  if (isSse && positions.size === 1 && ended) {
    response.writeHead(204).end()
    return
  }
  const send = (frame: Frame): void => {
    if (!isSse) response.write(`${JSON.stringify(frame)}\n`)
    else response.write(`${isControl(frame) ? 'event: control' : `id: ${frame.id}`}\ndata: ${JSON.stringify(frame)}\n\n`)
  }
  const wake = (): void => {
    log.news(positions).forEach(send)
    if (positions.size === 0) response.end()
  }
  response.writeHead(200, { 'content-type': TYPES[entry.kind] })
  send({ control: 'hello', ...hello })
  for (const [job, position] of positions) send(log.subscribed(job, position))
  follow({ positions, wake, beat: () => response.write(isSse ? ':\n\n' : '{"control":"heartbeat"}\n'), finish: () => response.end() }, response)
  wake()
}

export function answer(entry: Received, response: ServerResponse, { log, hello, pollMs, pageSize, follow }: Context): void {
  const positions = positionsOf(entry, log)
  const reply = (): void => {
    const from = new Map(positions)
    const events = log.news(positions, pageSize).filter((frame): frame is WireEvent => !isControl(frame))
    const jobs = [...from].map(([job, seq]) => log.member(job, seq, positions.get(job) ?? log.positionOf(job, 'tail')))
    const body = { ...hello, pollMs, more: log.hasNews(positions), jobs, events } satisfies Reading
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const waitS = Number(entry.url.searchParams.get('wait') ?? /wait=(\d+)/.exec(String(entry.headers.prefer))?.[1] ?? 0)
  if (waitS === 0 || log.hasNews(positions)) {
    reply()
    return
  }
  const timer = setTimeout(reply, waitS * 1000)
  response.once('close', () => clearTimeout(timer))
  follow({ positions, wake: reply, beat: () => {}, finish: reply }, response)
}

export function serve(entry: Received, socket: WebSocket, { log, hello, follow }: Context): void {
  const positions = positionsOf(entry, log)
  const send = (frames: Frame | Frame[]): void => socket.send(JSON.stringify(frames))
  const wake = (): void => {
    const frames = log.news(positions)
    if (frames.length > 0) send(frames)
  }
  send({ control: 'hello', ...hello })
  for (const [job, position] of positions) send(log.subscribed(job, position))
  follow({ positions, wake, beat: () => send({ control: 'heartbeat' }), finish: () => socket.close(1000) }, socket)
  wake()
  socket.on('message', (text) => {
    const operation = JSON.parse(String(text)) as Operation // as: sent by the transport under test; a wrong one fails its test
    entry.operations.push(operation)
    if (operation.op === 'unsubscribe') positions.delete(operation.job)
    if (operation.op !== 'subscribe') return
    const position = log.positionOf(operation.job, operation.after)
    positions.set(operation.job, position)
    send(log.subscribed(operation.job, position, operation.ref))
    wake()
  })
}

export function misanswer(fault: Fault, kind: Kind, response: ServerResponse): void {
  switch (fault.do) {
    case 'hang':
      break
    case 'page':
      response.writeHead(fault.status, { 'content-type': 'text/html' }).end('<h1>Not today</h1>')
      break
    case 'problem':
      if (fault.retryAfterS) response.setHeader('retry-after', fault.retryAfterS)
      response
        .writeHead(fault.status, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ title: 'no', status: fault.status, code: fault.code }))
      break
    case 'text':
      response.writeHead(200, { 'content-type': TYPES[kind] })
      response.end(kind === 'sse' ? `data: ${fault.text}\n\n` : `${fault.text}\n`)
  }
}

/** A WebSocket is accepted before it is refused, because browsers hide the status of a refused handshake. */
export function misserve(fault: Fault, entry: Received, socket: WebSocket, { log, hello }: Context): void {
  socket.send(JSON.stringify({ control: 'hello', ...hello }))
  if (fault.do === 'text') socket.send(fault.text)
  if (fault.do !== 'problem') return
  const { status, code, retryAfterS } = fault
  const [job] = [403, 404, 410].includes(status) ? positionsOf(entry, log).keys() : []
  socket.send(
    JSON.stringify({ control: 'error', ...(job ? { job } : {}), status, code, message: 'no', ...(retryAfterS ? { retryAfterMs: retryAfterS * 1000 } : {}) })
  )
  socket.close(4000 + status)
}
