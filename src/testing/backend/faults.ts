/** A proxy that a test can make fail: connections as they come, whatever is spoken on them. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** How an answer ends before its end: the connection breaks, or the body ends as if it were whole. */
export type Cut = 'reset' | 'clean end'

export interface Faults {
  url: string
  /** Requests that have come. */
  readonly requests: readonly http.IncomingMessage[]
  /** Those that are being answered, and those of them of which an answer has begun. */
  readonly open: number
  readonly begun: number
  /** Ends what is being answered. */
  cut(how: Cut): void
  /** Answers the next requests by itself, one each. */
  refuse(...statuses: number[]): void
  /** From now on nothing more is said in what is being answered; later requests are served. */
  mute(): void
  /** Only requests with this bearer token are served, others get 401. */
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
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`, // as: it listens on a port
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
