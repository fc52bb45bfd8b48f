/**
 * Followers that cost as little as possible, the same for all contestants: TCP connections that request a stream or an upgrade and search for the
 * marker of each event in the bytes, without decoding the rest. The parent process sends the orders.
 */

import net from 'node:net'

export interface Asked {
  port: number
  count: number
  path: string
  kind: 'websocket' | 'sse'
  subprotocol?: string
  /** A text message to send when the connection is open. */
  greeting?: string
}

const MARKER = '"t":'
const AT_ONCE = 200

/** The buffer that all connections are read into, so that none has its own. */
const buffer = Buffer.alloc(65_536)
const latencies: number[] = []
let received = 0
/** Resolved when this many events have been received. */
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

function connect(asked: Asked): Promise<void> {
  return new Promise((resolve, reject) => {
    /** The incomplete marker at the end of the last chunk. */
    let rest = ''
    let isOpen = false

    function read(size: number): boolean {
      const text = rest + buffer.toString('latin1', 0, size)
      if (!isOpen) open(text)
      let from = 0
      for (let at = text.indexOf(MARKER); at >= 0; at = text.indexOf(MARKER, from)) {
        const end = text.indexOf(',', at)
        if (end < 0) {
          rest = text.slice(at)
          return true
        }
        from = end
        note(text, at + MARKER.length, end)
      }
      rest = text.slice(Math.max(from, text.length - MARKER.length + 1))
      return true
    }

    function open(first: string): void {
      if (!/^HTTP\/1.1 (101|200) /.test(first)) return reject(new Error(`expected an open stream, got ${first}`))
      isOpen = true
      if (asked.greeting) socket.write(frame(asked.greeting))
      resolve()
    }

    const socket = net.connect({ port: asked.port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback: read } })
    socket.write(request(asked))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('a connection was closed')))
  })
}

function note(text: string, from: number, to: number): void {
  received += 1
  latencies.push(performance.timeOrigin + performance.now() - Number(text.slice(from, to)))
  if (goal && received >= goal.count) goal.reached()
}

const percentile = (sorted: Float64Array, part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Resolves when this many events have been received. */
async function expectEvents(count: number): Promise<object> {
  const startedAt = performance.now()
  const cpuBefore = cpuMs()
  latencies.length = 0
  received = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  goal = { count, reached: resolve }
  process.send?.({ ready: true })
  await promise
  const ms = performance.now() - startedAt
  const busy = (cpuMs() - cpuBefore) / ms
  const sorted = Float64Array.from(latencies).sort()
  return { ms, busy, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) }
}

type Told = ({ do: 'open' } & Asked) | { do: 'expect'; count: number }

process.on('message', async (told: Told) => {
  if (told.do === 'expect') return process.send?.(await expectEvents(told.count))
  for (let left = told.count; left > 0; left -= AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, left) }, () => connect(told)))
  process.send?.({ opened: told.count })
})
