/** The server kit behind somebody in between, who passes bytes on as they come, or does what a test says. */

import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { JobServer } from '../../src/server/types.ts'
import { serve } from '../server/serve.ts'

/** What is changed on the way to the server, and how its answer is passed on. */
export interface Change {
  headers?: http.IncomingHttpHeaders
  path?: string
  respond?(answer: http.IncomingMessage, response: http.ServerResponse): unknown
}

export type Pass = (change?: Change) => void
export type Between = (request: http.IncomingMessage, response: http.ServerResponse, pass: Pass) => void

export interface Intermediary {
  readonly jobs: JobServer
  /** The base URL in front of it. */
  readonly base: string
  /** How many requests and handshakes came. */
  readonly requests: number
  /** Gets each request in place of the server; `undefined`: every request is passed on. */
  between: Between | undefined
  /** The status that handshakes are refused with; `undefined`: they are passed on. */
  refuses: number | undefined
  /** Cuts every connection. */
  cut(): void
}

/** Starts both, and stops them at the end of the test. */
export async function startIntermediary(): Promise<Intermediary> {
  const { jobs, port } = await serve({ heartbeatMs: 1000, shortPollPauseMs: 200 })
  const sockets = new Set<Socket>()
  let requests = 0

  function pass(request: http.IncomingMessage, response: http.ServerResponse, change: Change = {}): void {
    const { headers = request.headers, path = request.url, respond = forward } = change
    const { method } = request
    const back = http.request({ host: '127.0.0.1', port, method, path, headers }, async (answer) => {
      answer.on('error', () => response.destroy())
      try {
        await respond(answer, response)
      } catch {
        response.destroy() // one of both was cut
      }
    })
    back.on('error', () => response.destroy())
    response.on('close', () => back.destroy())
    request.pipe(back)
  }

  const front = http.createServer((request, response) => {
    requests += 1
    const next: Pass = (change) => pass(request, response, change)
    if (intermediary.between) intermediary.between(request, response, next)
    else next()
  })
  front.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  front.on('upgrade', (request: http.IncomingMessage, near: Socket) => {
    requests += 1
    near.on('error', () => {}) // 'close' follows
    const { refuses } = intermediary
    if (refuses) return void near.end(`HTTP/1.1 ${refuses} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    const far = connect(port, '127.0.0.1')
    far.on('error', () => {})
    const fields = request.rawHeaders.map((text, index) => text + (index % 2 ? '\r\n' : ': ')).join('')
    far.write(`${request.method} ${request.url} HTTP/1.1\r\n${fields}\r\n`)
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    front.close()
    cut()
  })
  const intermediary: Intermediary = {
    jobs,
    base: `http://127.0.0.1:${(front.address() as AddressInfo).port}/jobs`, // as: it listens on TCP
    get requests() {
      return requests
    },
    between: undefined,
    refuses: undefined,
    cut
  }
  return intermediary
}

function forward(answer: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(answer.statusCode ?? 500, answer.headers)
  response.flushHeaders()
  answer.pipe(response)
}
