import type { Writable } from 'node:stream'
import { longTimeout } from './long-timeout.ts'

/** A reader slower than this for as long as two heartbeats is too slow: 16 kB a second. */
const MIN_BYTES_PER_MS = 16

/** Whether there is room for more, at once or when there is; `false` where the reader is too slow: later writes don't wait. */
export type Room = true | Promise<boolean>

export interface OutletOptions {
  maxBufferedBytes: number
  heartbeatMs: number
}

/** How long a reader may take for what is buffered. A large event takes its time even on a good connection. */
export const patienceMs = (bytes: number, heartbeatMs: number): number => 2 * heartbeatMs + bytes / MIN_BYTES_PER_MS

/** Writes to a socket no faster than it takes: where more than `maxBufferedBytes` would be left in this process, the next write waits until all has left it. */
export class BackpressuredWriter {
  private readonly stream: Pick<Writable, 'write' | 'writableLength'>
  private readonly options: OutletOptions
  /** Nothing is waited for any more: the reader is too slow, or gone. */
  private isOver = false
  /** Set where a write is waited for. */
  private settle: ((room: boolean) => void) | undefined

  constructor(stream: Pick<Writable, 'write' | 'writableLength'>, options: OutletOptions) {
    this.stream = stream
    this.options = options
  }

  write(piece: string | Buffer): Room {
    const { maxBufferedBytes, heartbeatMs } = this.options
    const bytes = this.stream.writableLength + Buffer.byteLength(piece)
    if (bytes <= maxBufferedBytes || this.isOver) {
      this.stream.write(piece) // without a callback, each of which is a tick of its own
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancel = longTimeout(patienceMs(bytes, heartbeatMs), () => this.settle?.(false))
    this.settle = (room) => {
      this.settle = undefined
      this.isOver ||= !room
      cancel()
      resolve(room)
    }
    this.stream.write(piece, () => this.settle?.(true))
    return promise
  }

  /** To be called when the connection is gone: then there is room. */
  close(): void {
    this.isOver = true
    this.settle?.(true)
  }
}
