/** Reads a WebSocket without judging it: records every message as it came. */

import { WebSocket } from 'ws'
import { BEARER_PREFIX, SUBPROTOCOL } from '../../protocol/rules.ts'
import { type CheckTarget, describeRequest, type Fields, headersFor, isFields, parse, type RequestOptions } from './http.ts'
import type { Transcript } from './transcript.ts'
import { createWatch } from './watch.ts'

export interface SocketOptions extends RequestOptions {
  /** The subprotocols to offer. Default: `jobtail.v1`, and `bearer.…` with the token. */
  protocols?: readonly string[]
}

export interface Socket extends Transcript {
  /** The handshake has succeeded. */
  opened: boolean
  /** The status of a handshake that was refused by HTTP. */
  status: number | undefined
  /** The subprotocol that the server selected. */
  protocol: string
  /** Each message as it came. */
  messages: readonly unknown[]
  closeCode(): number | undefined
  send(operation: unknown): void
}

/** Resolves when the socket is open, or has failed. Never rejects. */
export async function openSocket(target: CheckTarget, question: SocketOptions): Promise<Socket> {
  const url = new URL(question.url)
  url.protocol = url.protocol.replace('http', 'ws')
  const protocols = question.protocols ?? offer(question.anonymous ? undefined : target.token)
  const headers = headersFor(target, { ...question, anonymous: true }) // browsers can't send an Authorization header with a handshake
  const ws = new WebSocket(url, [...protocols], { headers, handshakeTimeout: target.limitMs, perMessageDeflate: false, agent: target.route?.agent })
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
    target.signal.removeEventListener('abort', close)
    over ??= 'closed'
    ws.terminate()
  }
  target.signal.addEventListener('abort', close)
  await new Promise<void>((resolve) => {
    ws.on('open', resolve)
    ws.on('unexpected-response', () => resolve())
    ws.on('error', () => resolve())
    ws.on('close', () => resolve())
  })

  const frames = (): Fields[] => messages.flat().filter(isFields)
  return {
    asked: `${describeRequest({ ...question, headers: { upgrade: 'websocket', ...question.headers } })}, subprotocols ${protocols.map((each) => each.replace(/^(bearer\.).*/, '$1…')).join(', ') || 'none'}`,
    opened,
    status,
    protocol: ws.protocol,
    messages,
    frames,
    closeCode: () => code,
    ended: () => over,
    came: () => (opened ? `${JSON.stringify(frames())}, ${over ?? 'and it is open'}` : `no socket: ${over ?? 'no answer'}`),
    heartbeatTimes: () => beats,
    times: () => times,
    until: (holds, limitMs = target.limitMs) => watch.until(holds, limitMs),
    send: (operation) => ws.send(typeof operation === 'string' ? operation : JSON.stringify(operation)),
    close
  }
}

const offer = (token: string | undefined): string[] => [
  SUBPROTOCOL,
  ...(token === undefined ? [] : [BEARER_PREFIX + Buffer.from(token, 'latin1').toString('base64url')])
]
