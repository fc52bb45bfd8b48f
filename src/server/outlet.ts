import type { Writable } from 'node:stream'
import { alarm } from './alarm.ts'

/** A reader slower than this for as long as two heartbeats is too slow: 16 kB a second. */
const MIN_BYTES_PER_MS = 16

/** Whether there is room for more, at once or when there is; `false` where the reader is too slow: later writes don't wait. */
export type Room = true | Promise<boolean>

export interface OutletOptions {
  stream: Pick<Writable, 'write' | 'writableLength'>
  maxBufferedBytes: number
  heartbeatMs: number
  /** Aborted when the connection is gone: then there is room. */
  signal: AbortSignal
}

/** How long a reader may take for what is buffered. A large event takes its time even on a good connection. */
export const patienceMs = (bytes: number, heartbeatMs: number): number => 2 * heartbeatMs + bytes / MIN_BYTES_PER_MS

/** Returns how to write to a socket no faster than it takes: where more than `maxBufferedBytes` would be left in this process, until all has left it. */
export function createOutlet({ stream, maxBufferedBytes, heartbeatMs, signal }: OutletOptions): (piece: string | Buffer) => Room {
  let slow = false

  return (piece) => {
    const bytes = stream.writableLength + Buffer.byteLength(piece)
    if (bytes <= maxBufferedBytes || slow || signal.aborted) {
      stream.write(piece) // without a callback, each of which is a tick of its own
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    function settle(room: boolean): void {
      slow ||= !room
      cancel()
      signal.removeEventListener('abort', gone)
      resolve(room)
    }
    const gone = () => settle(true)
    const cancel = alarm(patienceMs(bytes, heartbeatMs), () => settle(false))
    signal.addEventListener('abort', gone)
    stream.write(piece, gone)
    return promise
  }
}
