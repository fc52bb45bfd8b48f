/** A proxy between a client and a server whose connections a test can break. */

import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** How an answer is cut off: the connection is reset, or the body ends as if it were complete. */
export type Cut = 'reset' | 'clean end'

export interface Faults {
  url: string
  /** All requests so far. */
  readonly requests: readonly http.IncomingMessage[]
  /** How many requests are being answered. */
  readonly open: number
  /** How many of them have had the head of their answer. */
  readonly begun: number
  /** Cuts off every answer that is under way. */
  cut(how: Cut): void
  /** Answers the next requests with these statuses, one request each, without asking the server. */
  refuse(...statuses: number[]): void
  /** Silences every answer that is under way, and keeps its connection open. Later requests are served. */
  mute(): void
  /** From now on, requests without this bearer token get 401. */
  require(token: string): void
  close(): Promise<void>
}

/** An answer under way, or a WebSocket. */
interface Open {
  readonly hasBegun: boolean
  isMuted: boolean
  cut(how: Cut): void
}

export async function createFaults(target: string): Promise<Faults> {
  const { origin, pathname } = new URL(target)
  const requests: http.IncomingMessage[] = []
  const answers = new Set<Open>()
  const refusals: number[] = []
  let token: string | undefined

  /** The status by which a request is refused, if it is. */
  function refused(req: http.IncomingMessage): number | undefined {
    requests.push(req)
    return token !== undefined && req.headers.authorization !== `Bearer ${token}` ? 401 : refusals.shift()
  }

  const server = http.createServer((req, res) => {
    const status = refused(req)
    if (status !== undefined) return void res.writeHead(status, { 'content-type': 'text/plain' }).end('no')
    const own: Open = {
      get hasBegun() {
        return res.headersSent
      },
      isMuted: false,
      cut(how) {
        if (how === 'clean end' && res.headersSent && !res.hasHeader('content-length')) res.end()
        else res.socket?.resetAndDestroy()
      }
    }
    answers.add(own)
    const upstream = http.request(`${origin}${req.url}`, { method: req.method, headers: { ...req.headers, host: new URL(origin).host } }, (answer) => {
      if (own.isMuted) return
      res.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders()
      answer.on('data', (chunk) => own.isMuted || res.write(chunk))
      answer.on('end', () => own.isMuted || res.end())
      answer.on('error', () => own.isMuted || res.destroy())
    })
    upstream.on('error', () => res.destroy())
    req.pipe(upstream)
    res.on('close', () => {
      answers.delete(own)
      upstream.destroy()
    })
  })
  server.on('upgrade', (req, socket, head) => {
    const status = refused(req)
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    const { hostname, port } = new URL(origin)
    const upstream = connect(Number(port), hostname)
    let hasBegun = false
    const own: Open = {
      get hasBegun() {
        return hasBegun
      },
      isMuted: false,
      cut: (how) => (how === 'clean end' ? socket.end() : socket.destroy())
    }
    answers.add(own)
    const lines = req.rawHeaders.map((each, index) => (index % 2 ? `${each}\r\n` : `${each}: `))
    upstream.write(`GET ${req.url} HTTP/1.1\r\n${lines.join('')}\r\n`)
    upstream.write(head)
    socket.pipe(upstream)
    upstream.on('data', (chunk) => {
      hasBegun = true
      if (!own.isMuted) socket.write(chunk)
    })
    for (const each of [upstream, socket])
      each
        .on('error', () => {}) // the close that follows is enough
        .on('close', () => {
          answers.delete(own)
          upstream.destroy()
          socket.destroy()
        })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`, // as: a server that listens on a port has an address
    requests,
    get open() {
      return answers.size
    },
    get begun() {
      return [...answers].filter(({ hasBegun }) => hasBegun).length
    },
    cut(how) {
      for (const answer of answers) answer.cut(how)
    },
    refuse: (...statuses) => void refusals.push(...statuses),
    mute() {
      for (const answer of answers) answer.isMuted = true
    },
    require(required) {
      token = required
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
