import http from 'node:http'
import type { Duplex } from 'node:stream'
import { type Begin, hangUp, pageBytes } from './request.ts'

/** Answers a handshake with an HTML page, as gateways without WebSocket support do. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  socket.on('error', () => socket.destroy())
  socket.end(pageBytes(status), () => socket.destroy())
}

/** Takes a handshake and never answers it. */
export function ignoreUpgrade(socket: Duplex, begin: Begin): void {
  const exchange = begin({ kind: 'websocket', cut: (hard) => hangUp(socket, hard), timeout: () => refuseUpgrade(socket, 504), onEnd() {} })
  socket.on('error', () => exchange.cut())
  socket.once('end', () => exchange.cut())
  socket.once('close', exchange.end)
  // A socket that is not read doesn't report that the other end has closed it.
  socket.resume()
}

/** Passes one handshake on to `target`, then the bytes of both directions. */
export function passUpgrade(target: URL, req: http.IncomingMessage, socket: Duplex, head: Buffer, begin: Begin): void {
  const onward = http.request(new URL(req.url ?? '/', target), { headers: req.headers, agent: false })
  let far: Duplex | undefined
  const exchange = begin({
    kind: 'websocket',
    cut: (hard) => hangUp(socket, hard),
    timeout() {
      exchange.end()
      refuseUpgrade(socket, 504)
    },
    onEnd: () => {
      onward.destroy()
      far?.destroy()
    }
  })
  socket.on('error', () => exchange.cut())
  socket.once('end', () => exchange.cut())
  socket.once('close', exchange.end)
  onward.on('error', () => {
    if (exchange.isOver) return
    exchange.end()
    refuseUpgrade(socket, 502)
  })
  onward.on('response', (answer) => {
    exchange.valve.head(() => socket.write(headBytes(answer, ['connection', 'transfer-encoding'], ['connection: close'])))
    answer.on('error', () => exchange.cut())
    answer.pipe(exchange.valve.stream).pipe(socket)
  })
  onward.on('upgrade', (answer, farSocket, farHead) => {
    far = farSocket
    farSocket.on('error', () => exchange.cut())
    farSocket.unshift(farHead)
    exchange.valve.head(() => {
      socket.write(headBytes(answer))
      exchange.begin()
    })
    farSocket.pipe(exchange.valve.stream).pipe(socket)
    if (head.length > 0) farSocket.write(head)
    socket.pipe(farSocket)
  })
  onward.end()
}

function headBytes({ statusCode, statusMessage, rawHeaders }: http.IncomingMessage, without: string[] = [], more: string[] = []): string {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 && !without.includes(name.toLowerCase()) ? [`${name}: ${rawHeaders[index + 1]}`] : []))
  return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines, ...more, '', ''].join('\r\n')
}
