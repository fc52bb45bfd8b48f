import type { Writable } from 'node:stream'
import { longTimeout } from './long-timeout.ts'

/** The slowest pace that a reader may have, beyond two heartbeats of patience: 16 kB a second. */
const MIN_BYTES_PER_MS = 16

/** `true`: the next write may follow at once. A promise: it may follow once that resolves; with `false` the reader is too slow, and later writes don't wait. */
export type Drained = true | Promise<boolean>

export interface WriterOptions {
  maxBufferedBytes: number
  heartbeatMs: number
}

/** How long a reader may take to read `bytes` that are buffered for it, in ms. It grows with `bytes`: a large event needs its time on a good connection too. */
export const patienceMs = (bytes: number, heartbeatMs: number): number => 2 * heartbeatMs + bytes / MIN_BYTES_PER_MS

/** Writes to a stream with backpressure: where a write leaves more than `maxBufferedBytes` buffered in this process, the next one waits until all are sent. */
export class BackpressuredWriter {
  private readonly stream: Pick<Writable, 'write' | 'writableLength'>
  private readonly options: WriterOptions
  /** The reader is too slow, or gone: writes no longer wait. */
  private isOver = false
  /** Set while a write waits to be sent. */
  private endWait: ((room: boolean) => void) | undefined

  constructor(stream: Pick<Writable, 'write' | 'writableLength'>, options: WriterOptions) {
    this.stream = stream
    this.options = options
  }

  write(piece: string | Buffer): Drained {
    const { maxBufferedBytes, heartbeatMs } = this.options
    const bytes = this.stream.writableLength + Buffer.byteLength(piece)
    if (bytes <= maxBufferedBytes || this.isOver) {
      this.stream.write(piece) // without a callback: each would cost a tick of its own
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancel = longTimeout(patienceMs(bytes, heartbeatMs), () => this.endWait?.(false))
    this.endWait = (room) => {
      this.endWait = undefined
      this.isOver ||= !room
      cancel()
      resolve(room)
    }
    this.stream.write(piece, () => this.endWait?.(true))
    return promise
  }

  /** To be called when the connection is gone. Ends a wait, as if the write was sent. */
  close(): void {
    this.isOver = true
    this.endWait?.(true)
  }
}
