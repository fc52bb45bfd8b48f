/** A server with one fault: the server kit behind a front that changes what passes through it. */

import http from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { listen, type OnFinished } from './kit.ts'

export type Fields = Record<string, unknown>

/** A request, before the server gets it. */
export interface Question {
  method: string
  url: URL
  headers: Headers
  body: string
}

/** A whole answer, before the client gets it. */
export interface Answer {
  status: number
  headers: Headers
  body: string
  /** The parsed body. Changes to it are sent. */
  json: Fields
}

type OnFrame = (frame: Fields, question: Question) => Fields | readonly Fields[] | undefined

export type Kind = 'json' | 'ndjson' | 'live' | 'sse' | 'websocket'

export interface Mistake {
  /** Changes every request, handshakes too. If it returns a status, the request is answered with that, without the server. */
  request?(question: Question, kind: Kind): unknown
  /** Changes the status and headers of every answer, and the body of those that are not event streams. */
  answer?(answer: Answer, question: Question): unknown
  /** Changes or drops frames: of an event stream, of live NDJSON, of a WebSocket, of all three; and of an NDJSON answer. */
  sse?: OnFrame
  live?: OnFrame
  ndjson?: OnFrame
  websocket?: OnFrame
  frame?: OnFrame
  /** Changes every event of every reading. */
  event?(event: Fields): Fields
  /** Changes the text of each message of an event stream. */
  text?(text: string): string
  /** Changes the text of an NDJSON answer. */
  lines?(text: string): string
  /** Keeps the body of a stream open after its end. */
  keepsOpen?(question: Question): boolean
  /** Chooses the subprotocol that a handshake is answered with. */
  subprotocol?(offered: readonly string[]): string | false
  /** Accepts handshakes that don't offer `jobtail.v1`. */
  takesAny?: boolean
  /** Changes or drops the messages of a WebSocket's client. */
  operation?(operation: unknown, seen: Set<unknown>): unknown
  /** Changes the text of each message that a WebSocket sends. */
  message?(value: unknown): unknown
  /** Replaces the code that a socket is closed with. */
  closeCode?(code: number): number
}

/** Serves what `target` serves, with the fault. Resolves with the base URL. */
export async function serveWith(mistake: Mistake, target: string, onFinished: OnFinished): Promise<URL> {
  const server = http.createServer((req, res) => void pass(req, res, mistake, target))
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (mistake.subprotocol ?? (() => 'jobtail.v1'))([...offered]) })
  server.on('upgrade', (req, socket, head) => {
    const offered = (req.headers['sec-websocket-protocol'] ?? '').split(/,\s*/)
    const question = questionOf(req, '', target)
    const status = mistake.request?.(question, 'websocket')
    if (typeof status === 'number') return void socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`)
    const protocols = mistake.takesAny && !offered.includes('jobtail.v1') ? ['jobtail.v1'] : offered
    const origin = question.headers.get('origin')
    const back = new WebSocket(String(question.url).replace('http', 'ws'), protocols, { headers: origin === null ? {} : { origin } })
    back.on('error', () => {}) // 'close' or 'unexpected-response' follows
    back.on('unexpected-response', (_, response) => socket.end(`HTTP/1.1 ${response.statusCode} Refused\r\nConnection: close\r\n\r\n`))
    const early: string[] = []
    const keep = (message: unknown): void => void early.push(String(message))
    back.on('message', keep)
    back.on('open', () => sockets.handleUpgrade(req, socket, head, (ws) => relay(ws, back, question, mistake, early, keep)))
  })
  onFinished(() => {
    for (const each of sockets.clients) each.terminate()
  })
  return new URL(await listen(server, onFinished))
}

function questionOf(req: http.IncomingMessage, body: string, target: string): Question {
  const headers = new Headers()
  for (const [name, value] of Object.entries(req.headers))
    if (!/^(host|connection|upgrade|content-length|sec-websocket.*)$/.test(name)) headers.set(name, String(value))
  return { method: req.method ?? 'GET', url: new URL(req.url ?? '/', target), headers, body }
}

function kindOf({ headers, url }: Question): Kind {
  const accept = headers.get('accept') ?? ''
  if (/event-stream/.test(accept)) return 'sse'
  return /ndjson/.test(accept) ? (url.searchParams.has('live') ? 'live' : 'ndjson') : 'json'
}

async function pass(req: http.IncomingMessage, res: http.ServerResponse, mistake: Mistake, target: string): Promise<void> {
  const gone = new AbortController()
  res.on('close', () => gone.abort())
  const question = questionOf(req, Buffer.concat(await req.toArray()).toString(), target)
  const asks = new URL(question.url)
  const status = mistake.request?.(question, kindOf(question))
  if (typeof status === 'number') return void res.writeHead(status).end()
  try {
    const { method, url, headers, body } = question
    const response = await fetch(url, { method, headers, signal: gone.signal, ...(method === 'POST' ? { body } : {}) })
    const answer: Answer = { status: response.status, headers: new Headers(response.headers), body: '', json: {} }
    const type = response.headers.get('content-type') ?? ''
    const isLive = /ndjson/.test(type) && kindOf(question) === 'live'
    const isStream = /event-stream/.test(type) || isLive
    const isLines = /ndjson/.test(type)
    if (!isStream) answer.body = await response.text()
    if (isLines && !isLive) answer.body = spoilLines(answer.body, question, mistake)
    if (!isStream && !isLines) {
      answer.json = answer.body ? JSON.parse(answer.body) : {}
      if (mistake.event && Array.isArray(answer.json.events)) answer.json.events = answer.json.events.map(mistake.event)
    }
    const before = JSON.stringify(answer.json)
    await mistake.answer?.(answer, { ...question, url: asks })
    if (!isLines && (mistake.event || JSON.stringify(answer.json) !== before)) answer.body = JSON.stringify(answer.json)
    answer.headers.delete('content-length')
    for (const name of ['connection', 'keep-alive', 'transfer-encoding']) answer.headers.delete(name)
    res.writeHead(answer.status, Object.fromEntries(answer.headers))
    if (!isStream) return void res.end(answer.body)
    res.flushHeaders()
    await stream(response, res, question, mistake, isLive)
    if (!mistake.keepsOpen?.(question)) res.end()
  } catch {
    res.destroy() // the client has disconnected, or the server has
  }
}

async function stream(response: Response, res: http.ServerResponse, question: Question, mistake: Mistake, isLive: boolean): Promise<void> {
  let rest = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + chunk).split(isLive ? '\n' : '\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) res.write(isLive ? spoilLine(block, question, mistake) : spoilBlock(block, question, mistake))
  }
}

function spoilLines(body: string, question: Question, mistake: Mistake): string {
  const frames = body
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => spoil(JSON.parse(line), mistake.ndjson ?? ((frame) => frame), question, mistake))
  const lines = frames.map((frame) => `${JSON.stringify(frame)}\n`).join('')
  return mistake.lines?.(lines) ?? lines
}

/** The text of one line of live NDJSON. */
function spoilLine(line: string, question: Question, mistake: Mistake): string {
  return spoil(JSON.parse(line), mistake.live, question, mistake)
    .map((frame) => `${JSON.stringify(frame)}\n`)
    .join('')
}

/** The text of one message of an event stream. */
function spoilBlock(block: string, question: Question, mistake: Mistake): string {
  const written = mistake.text ?? ((text) => text)
  const data = /^data: (.*)$/m.exec(block)?.[1]
  if (data === undefined) return written(`${block}\n\n`)
  return spoil(JSON.parse(data), mistake.sse, question, mistake)
    .map((frame) => written(`${'control' in frame ? 'event: control' : `id: ${frame.id}`}\ndata: ${JSON.stringify(frame)}\n\n`))
    .join('')
}

function spoil(frame: Fields, onFrame: OnFrame | undefined, question: Question, mistake: Mistake): readonly Fields[] {
  const event = mistake.event && !('control' in frame) ? mistake.event(frame) : frame
  const change = onFrame ?? mistake.frame
  return [change ? change(event, question) : event].flat().filter((each) => each !== undefined)
}

function relay(ws: WebSocket, back: WebSocket, question: Question, mistake: Mistake, early: readonly string[], keep: (message: unknown) => void): void {
  const seen = new Set<unknown>()
  const closeWith = mistake.closeCode ?? ((code: number) => code)
  const down = (message: unknown): void => {
    const value: Fields | Fields[] = JSON.parse(String(message))
    const frames = [value].flat().flatMap((frame) => spoil(frame, mistake.websocket, question, mistake))
    if (frames.length === 0) return
    const spoilt = mistake.message ? mistake.message(frames.length === 1 ? frames[0] : frames) : frames.length === 1 ? frames[0] : frames
    ws.send(JSON.stringify(spoilt))
    for (const { control, job } of frames) if (control === 'done') seen.delete(job)
  }
  const up = (message: unknown): void => {
    if (!mistake.operation) return back.send(String(message))
    let value: unknown = String(message)
    try {
      value = JSON.parse(String(message))
    } catch {} // text that is not JSON passes unchanged
    const operation = mistake.operation(value, seen)
    if (operation !== undefined) back.send(typeof operation === 'string' ? operation : JSON.stringify(operation))
  }
  back.off('message', keep)
  for (const message of early) down(message)
  back.on('message', down)
  ws.on('message', up)
  ws.on('error', () => {}) // 'close' follows
  ws.on('close', () => back.terminate())
  back.on('close', (code) => (code >= 1000 && code !== 1005 && code !== 1006 ? ws.close(closeWith(code)) : ws.terminate()))
}
