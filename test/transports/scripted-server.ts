/** A server that speaks the protocol on a real socket, records the requests, and misbehaves when it is told to. */

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { WireEvent } from '../../src/protocol/frames.ts'
import { SUBPROTOCOL } from '../../src/protocol/rules.ts'
import { createScriptedLog } from './scripted-log.ts'
import {
  answer,
  type Context,
  type Fault,
  type Follower,
  type Kind,
  misanswer,
  misserve,
  type Over,
  type Received,
  serve,
  stream
} from './scripted-readings.ts'

export interface ScriptedServer {
  readonly base: URL
  readonly received: readonly Received[]
  /** How many of these have not ended. */
  readonly open: number
  /** For the requests to come. */
  fault: Fault | undefined
  append(job: string, type?: string, data?: unknown): WireEvent
  beat(): void
  /** Ends every open reading as a server does. */
  finish(): void
  /** Destroys every connection. */
  cut(): void
  /** Destroys every connection and stops listening. */
  kill(): Promise<void>
}

export interface ScriptedServerOptions {
  heartbeatMs?: number
  pollMs?: number
  /** How many events of a job one JSON answer has. */
  pageSize?: number
}

export async function startScriptedServer({ heartbeatMs = 15_000, pollMs = 10, pageSize = 1000 }: ScriptedServerOptions = {}): Promise<ScriptedServer> {
  const received: Received[] = []
  const followers = new Set<Follower>()
  const connections = new Set<Duplex>()
  const log = createScriptedLog()
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs`) // as: it listens on TCP
  const context: Context = {
    log,
    hello: { protocol: 1, heartbeatMs, mux: 128 },
    pollMs,
    pageSize,
    follow(follower, over) {
      followers.add(follower)
      over.once('close', () => followers.delete(follower))
    }
  }

  const cut = (): void => {
    for (const connection of connections) connection.destroy()
  }
  const scripted: ScriptedServer = {
    base,
    received,
    get open() {
      return received.filter(({ closed }) => !closed).length
    },
    fault: undefined,
    append(job, type, data) {
      const event = log.append(job, type, data)
      for (const follower of [...followers]) if (follower.positions.has(job)) follower.wake()
      return event
    },
    beat() {
      for (const follower of followers) follower.beat()
    },
    finish() {
      for (const follower of [...followers]) follower.finish()
    },
    cut,
    async kill() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    }
  }

  function note(kind: Kind, request: IncomingMessage, exchange: Over): Received {
    const entry: Received = { kind, url: new URL(request.url ?? '', base), headers: request.headers, operations: [], closed: false }
    received.push(entry)
    exchange.once('close', () => {
      entry.closed = true
    })
    return entry
  }

  const upgrades = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false) })
  server.on('connection', (connection) => {
    connections.add(connection)
    connection.once('close', () => connections.delete(connection))
  })
  server.on('request', (request, response) => {
    const isLive = new URL(request.url ?? '', base).searchParams.has('live')
    const kind = request.headers.accept?.includes('text/event-stream') ? 'sse' : isLive ? 'ndjson' : 'json'
    const entry = note(kind, request, response)
    if (scripted.fault) misanswer(scripted.fault, kind, response)
    else if (kind !== 'json') stream(entry, response, context)
    else answer(entry, response, context)
  })
  server.on('upgrade', (request, socket, head) => {
    const { fault } = scripted
    const entry = note('websocket', request, socket)
    socket.on('error', () => {}) // a client may leave in the middle of its handshake
    if (fault?.do === 'hang') socket.on('end', () => socket.end()).resume()
    else if (fault?.do === 'page') socket.end(`HTTP/1.1 ${fault.status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
    else upgrades.handleUpgrade(request, socket, head, (webSocket) => (fault ? misserve(fault, entry, webSocket, context) : serve(entry, webSocket, context)))
  })
  return scripted
}
