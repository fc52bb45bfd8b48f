/** A bare WebSocket: it records what comes, frame by frame. */

import { WebSocket } from 'ws'
import { BEARER_PREFIX, SUBPROTOCOL } from '../../protocol/rules.ts'
import { type Fields, headersFor, inWords, isFields, parse, type Question, type Reach } from './http.ts'
import type { Transcript } from './transcript.ts'
import { createWatch } from './watch.ts'

export interface SocketQuestion extends Question {
  /** Default: `jobtail.v1`, and the token's. */
  protocols?: readonly string[]
}

export interface Socket extends Transcript {
  /** It is, or was, open. */
  opened: boolean
  /** Of a handshake that was refused by HTTP. */
  status: number | undefined
  /** What the server chose. */
  protocol: string
  /** Each message as it came. */
  messages: readonly unknown[]
  closeCode(): number | undefined
  send(operation: unknown): void
}

/** Resolves when it is open, or refused, or not to be had. */
export async function openSocket(reach: Reach, question: SocketQuestion): Promise<Socket> {
  const url = new URL(question.url)
  url.protocol = url.protocol.replace('http', 'ws')
  const protocols = question.protocols ?? offer(question.anonymous ? undefined : reach.token)
  const headers = headersFor(reach, { ...question, anonymous: true }) // a browser's socket has no Authorization header
  const ws = new WebSocket(url, [...protocols], { headers, handshakeTimeout: reach.limitMs, perMessageDeflate: false, agent: reach.route?.agent })
  const watch = createWatch()
  const messages: unknown[] = []
  const times: number[] = []
  const beats: number[] = []
  let status: number | undefined
  let opened = false
  let code: number | undefined
  let over: string | undefined

  ws.on('open', () => {
    opened = true
  })
  ws.on('unexpected-response', (request, response) => {
    status = response.statusCode
    over = `an HTTP answer with ${status}`
    request.destroy()
    watch.end()
  })
  ws.on('message', (message, isBinary) => {
    times.push(performance.now())
    const value = isBinary ? undefined : parse(String(message))
    messages.push(value)
    if ([value].flat().some((frame) => isFields(frame) && frame.control === 'heartbeat')) beats.push(performance.now())
    watch.changed()
  })
  ws.on('error', (error) => {
    over ??= error.message
  })
  ws.on('close', (closedWith) => {
    code = closedWith
    over ??= `closed with ${closedWith}`
    watch.end()
  })
  const close = (): void => {
    reach.signal.removeEventListener('abort', close)
    over ??= 'closed'
    ws.terminate()
  }
  reach.signal.addEventListener('abort', close)
  await new Promise<void>((resolve) => {
    ws.on('open', resolve)
    ws.on('unexpected-response', () => resolve())
    ws.on('error', () => resolve())
    ws.on('close', () => resolve())
  })

  const frames = (): Fields[] => messages.flat().filter(isFields)
  return {
    asked: `${inWords({ ...question, headers: { upgrade: 'websocket', ...question.headers } })}, subprotocols ${protocols.map((each) => each.replace(/^(bearer\.).*/, '$1…')).join(', ') || 'none'}`,
    opened,
    status,
    protocol: ws.protocol,
    messages,
    frames,
    closeCode: () => code,
    over: () => over,
    came: () => (opened ? `${JSON.stringify(frames())}, ${over ?? 'and it is open'}` : `no socket: ${over ?? 'no answer'}`),
    beats: () => beats,
    times: () => times,
    until: (holds, limitMs = reach.limitMs) => watch.until(holds, limitMs),
    send: (operation) => ws.send(typeof operation === 'string' ? operation : JSON.stringify(operation)),
    close
  }
}

const offer = (token: string | undefined): string[] => [
  SUBPROTOCOL,
  ...(token === undefined ? [] : [BEARER_PREFIX + Buffer.from(token, 'latin1').toString('base64url')])
]
