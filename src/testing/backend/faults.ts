/** A proxy between a client and a server whose connections a test can break. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

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

export async function createFaults(target: string): Promise<Faults> {
  const { origin, pathname } = new URL(target)
  const requests: http.IncomingMessage[] = []
  const answers = new Set<http.ServerResponse>()
  const muted = new WeakSet<http.ServerResponse>()
  const refusals: number[] = []
  let token: string | undefined

  const server = http.createServer((req, res) => {
    requests.push(req)
    const isRefused = token !== undefined && req.headers.authorization !== `Bearer ${token}`
    const status = isRefused ? 401 : refusals.shift()
    if (status !== undefined) return void res.writeHead(status, { 'content-type': 'text/plain' }).end('no')
    answers.add(res)
    const upstream = http.request(`${origin}${req.url}`, { method: req.method, headers: { ...req.headers, host: new URL(origin).host } }, (answer) => {
      if (muted.has(res)) return
      res.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders()
      answer.on('data', (chunk) => muted.has(res) || res.write(chunk))
      answer.on('end', () => muted.has(res) || res.end())
      answer.on('error', () => muted.has(res) || res.destroy())
    })
    upstream.on('error', () => res.destroy())
    req.pipe(upstream)
    res.on('close', () => {
      answers.delete(res)
      upstream.destroy()
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
      return [...answers].filter(({ headersSent }) => headersSent).length
    },
    cut(how) {
      for (const answer of answers) {
        if (how === 'clean end' && answer.headersSent && !answer.hasHeader('content-length')) answer.end()
        else answer.socket?.resetAndDestroy()
      }
    },
    refuse: (...statuses) => void refusals.push(...statuses),
    mute() {
      for (const answer of answers) muted.add(answer)
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
