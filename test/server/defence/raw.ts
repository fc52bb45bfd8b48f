import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A long timeout, since the machine may be busy. */
export const PATIENCE = { timeout: 15_000 }

export interface Raw {
  socket: Socket
  /** The first 64 KiB of what has come so far. */
  text(): string
  /** How many bytes have come. */
  readonly received: number
  /** Resumes reading after `pauseAt`. */
  resume(): void
  closed: Promise<void>
}

export const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: jobtail.v1',
  '',
  ''
].join('\r\n')

/** A TCP client: writes what the test says, and reads until `pauseAt` bytes have come. */
export async function openRaw(port: number, text: string, pauseAt = Number.POSITIVE_INFINITY): Promise<Raw> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {}) // 'close' follows
  let head = ''
  let received = 0
  let limit = pauseAt
  socket.on('data', (data) => {
    if (received < 65_536) head += data.toString('latin1')
    received += data.length
    if (received >= limit) socket.pause()
  })
  const closed = new Promise<void>((resolve) => void socket.on('close', () => resolve()))
  await once(socket, 'connect')
  socket.write(text)
  return {
    socket,
    text: () => head,
    get received() {
      return received
    },
    resume() {
      limit = Number.POSITIVE_INFINITY
      socket.resume()
    },
    closed
  }
}
