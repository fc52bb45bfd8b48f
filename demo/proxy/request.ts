import http from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Exchange, ExchangeOptions } from './exchange.ts'

/** Starts an exchange under the proxy's current faults. */
export type Begin = (options: Omit<ExchangeOptions, 'faults' | 'bornAt'>) => Exchange

// RFC 9110 §7.6.1: these concern one connection only and are not passed on.
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'])

const page = (status: number): string => `<!doctype html>
<title>${status} ${http.STATUS_CODES[status]}</title>
<center><h1>${status} ${http.STATUS_CODES[status]}</h1></center>
<hr><center>demo proxy</center>
`

/** Answers with an HTML page, as gateways do for their own errors. */
export function answerPage(res: http.ServerResponse, status: number): void {
  res.writeHead(status, { 'content-type': 'text/html', 'cache-control': 'no-store' }).end(page(status))
}

/** The same page as the bytes of a whole answer, for a refused upgrade. */
export const pageBytes = (status: number): string =>
  `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: ${page(status).length}\r\n\r\n${page(status)}`

/** Breaks a connection. `hard`: by a reset (RST), as if the other end had lost its state. */
export function hangUp(socket: Duplex, hard: boolean): void {
  if (hard && socket instanceof Socket) socket.resetAndDestroy()
  else socket.destroy()
}

/** Takes a request and never answers it. */
export function ignoreRequest(req: http.IncomingMessage, res: http.ServerResponse, begin: Begin): void {
  const exchange = begin({
    kind: 'request',
    cut: (hard) => hangUp(req.socket, hard),
    timeout: () => answerPage(res, 504),
    onEnd() {}
  })
  res.once('close', exchange.end)
  req.resume()
}

/** Passes one request on to `target` and its answer back. */
export function passRequest(target: URL, req: http.IncomingMessage, res: http.ServerResponse, begin: Begin): void {
  const onward = http.request(new URL(req.url ?? '/', target), { method: req.method, headers: req.headers, agent: false })
  const exchange = begin({
    kind: 'request',
    cut: (hard) => hangUp(req.socket, hard),
    timeout: () => {
      if (res.headersSent) return exchange.cut()
      exchange.end()
      answerPage(res, 504)
    },
    onEnd: () => onward.destroy()
  })
  res.once('close', exchange.end)
  onward.on('error', () => {
    if (exchange.isOver) return
    if (res.headersSent) return exchange.cut()
    exchange.end()
    answerPage(res, 502)
  })
  onward.on('response', (answer) => {
    answer.on('error', () => exchange.cut())
    exchange.valve.head(() => {
      res.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders))
      res.flushHeaders()
      exchange.begin(answer.headers['content-type']?.startsWith('text/event-stream') ? 'stream' : 'request')
    })
    answer.pipe(exchange.valve.stream).pipe(res)
  })
  req.pipe(onward)
}

function endToEnd(rawHeaders: string[]): string[] {
  return rawHeaders.filter((_, index) => !hopByHop.has((rawHeaders[index - (index % 2)] ?? '').toLowerCase()))
}
