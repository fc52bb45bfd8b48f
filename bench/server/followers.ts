/**
 * Followers as cheap as can be, the same for every contestant: bare TCP connections that ask for a stream or an upgrade and look for the
 * marker of each event in the bytes, without decoding what is around it. Told what to do by its parent.
 */

import { once } from 'node:events'
import net from 'node:net'

export interface Asked {
  port: number
  count: number
  path: string
  kind: 'websocket' | 'sse'
  subprotocol?: string
  /** A text message to be sent once it is open. */
  greeting?: string
}

const MARKER = '"t":'
const AT_ONCE = 200

const latencies: number[] = []
const sockets: net.Socket[] = []
let received = 0
/** To be told when so many have been received. */
let goal: { count: number; reached(): void } | undefined

function request({ port, path, kind, subprotocol }: Asked): string {
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(subprotocol ? [`Sec-WebSocket-Protocol: ${subprotocol}`] : [])
  ]
  return [`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...(kind === 'sse' ? ['Accept: text/event-stream'] : upgrade), '', ''].join('\r\n')
}

/** A text frame from a client, masked with zeros (RFC 6455 §5.2). */
function frame(text: string): Buffer {
  const payload = Buffer.from(text)
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

async function connect(asked: Asked): Promise<void> {
  const socket = net.connect({ port: asked.port, host: '127.0.0.1', noDelay: true })
  sockets.push(socket)
  socket.setEncoding('latin1')
  socket.write(request(asked))
  let rest = ''
  const open = once(socket, 'data')
  socket.on('data', (chunk: string) => {
    const text = rest + chunk
    let from = 0
    for (let at = text.indexOf(MARKER); at >= 0; at = text.indexOf(MARKER, from)) {
      const end = text.indexOf(',', at)
      if (end < 0) {
        from = at
        break
      }
      from = end
      note(Number(text.slice(at + MARKER.length, end)))
    }
    rest = text.slice(from).slice(-200)
    // A number that was cut begins with its marker, which must not be lost.
    if (!rest.includes(MARKER)) rest = rest.slice(-MARKER.length)
  })
  socket.on('error', (error) => {
    throw error
  })
  const [first] = await open
  if (!/^HTTP\/1.1 (101|200) /.test(first)) throw new Error(`expected an open stream, got ${first}`)
  if (asked.greeting) socket.write(frame(asked.greeting))
}

function note(sentAt: number): void {
  received += 1
  latencies.push(performance.timeOrigin + performance.now() - sentAt)
  if (goal && received >= goal.count) goal.reached()
}

const percentile = (sorted: readonly number[], part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN

type Told = ({ do: 'open' } & Asked) | { do: 'expect'; count: number } | { do: 'close' }

process.on('message', async (told: Told) => {
  switch (told.do) {
    case 'open':
      for (let left = told.count; left > 0; left -= AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, left) }, () => connect(told)))
      return process.send?.({ opened: told.count })
    case 'expect': {
      const startedAt = performance.now()
      latencies.length = 0
      received = 0
      goal = undefined
      process.send?.({ ready: true })
      await new Promise<void>((resolve) => {
        goal = { count: told.count, reached: resolve }
        if (received >= told.count) resolve()
      })
      const sorted = latencies.toSorted((a, b) => a - b)
      return process.send?.({ ms: performance.now() - startedAt, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) })
    }
    case 'close':
      for (const socket of sockets.splice(0)) socket.destroy()
      return process.send?.({ closed: true })
  }
})
