/** Follows a job by WebSocket, as a page of the server's own origin would, and records what comes. */

import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { BEARER_PREFIX, SUBPROTOCOL } from '../../protocol/rules.ts'
import { type Asked, eventsUrl } from '../../protocol/urls.ts'
import { isFields, parse } from '../check/http.ts'
import type { Head, Observation } from './observation.ts'
import { observe } from './readings.ts'
import type { Place } from './request.ts'

const headOf = ({ statusCode = 0, httpVersion, headers }: IncomingMessage): Head => ({
  status: statusCode,
  httpVersion,
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
  at: performance.now()
})

interface SocketOptions {
  /** Says that the page is of the URL's origin. Default: true. */
  sendsOrigin?: boolean
  onOpen?: () => void
}

/** Resolves at the socket's end, or once the signal has aborted. */
export async function watchSocket(
  { base, headers, token, route }: Place,
  asked: Asked,
  signal: AbortSignal,
  { sendsOrigin = true, onOpen }: SocketOptions = {}
): Promise<Observation> {
  const observation = observe('websocket')
  const url = eventsUrl(base, [asked])
  const origin = url.origin
  url.protocol = url.protocol.replace('http', 'ws')
  const protocols = [SUBPROTOCOL, ...(token === undefined ? [] : [BEARER_PREFIX + Buffer.from(token, 'latin1').toString('base64url')])]
  const socket = new WebSocket(url, protocols, { headers: { ...headers, ...(sendsOrigin && { origin }) }, agent: route.agent })
  const end = (what: string): void => {
    if (!signal.aborted) observation.end ??= { what, at: performance.now() }
  }
  const stop = (): void => socket.terminate()
  signal.addEventListener('abort', stop)
  await new Promise<void>((resolve) => {
    socket.on('upgrade', (response) => {
      observation.head = headOf(response)
    })
    socket.on('open', () => {
      observation.opened = true
      onOpen?.()
    })
    socket.on('unexpected-response', (request, response) => {
      observation.head = headOf(response)
      end(`an answer with ${response.statusCode} in place of 101`)
      request.destroy()
      resolve()
    })
    socket.on('message', (message, isBinary) => {
      const at = performance.now()
      observation.bytesAt.push(at)
      for (const frame of [isBinary ? undefined : parse(String(message))].flat()) if (isFields(frame)) observation.frames.push({ frame, at })
    })
    socket.on('error', (error) => end(error.message))
    socket.on('close', (code) => resolve(end(`the socket was closed with ${code}`)))
  })
  signal.removeEventListener('abort', stop)
  return observation
}
