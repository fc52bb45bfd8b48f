import { alarm } from './alarm.ts'

/** A reader slower than this for as long as two heartbeats is too slow: 16 kB a second. */
const MIN_BYTES_PER_MS = 16

export interface Outlet<T> {
  /** Whether there is room for more, at once or when there is; `false` where the reader is too slow: later writes don't wait. */
  write(text: T): true | Promise<boolean>
}

export interface OutletOptions<T> {
  /** Hands a piece on; calls back when it has left this process. */
  send: (text: T, sent: () => void) => void
  maxBufferedBytes: number
  heartbeatMs: number
  /** Aborted when the connection is gone: then there is room. */
  signal: AbortSignal
}

/** How long a reader may take for what is buffered. A large event takes its time even on a good connection. */
export const patienceMs = (bytes: number, heartbeatMs: number): number => 2 * heartbeatMs + bytes / MIN_BYTES_PER_MS

/**
 * Writes to a socket no faster than it takes. It counts what was sent and not called back, since neither `drain` (which comes
 * at a mark of Node's own) nor `bufferedAmount` (which nothing announces) tells when less than `maxBufferedBytes` is left.
 */
export function createOutlet<T extends string | Buffer>({ send, maxBufferedBytes, heartbeatMs, signal }: OutletOptions<T>): Outlet<T> {
  let buffered = 0
  let slow = false
  let waiting: ((room: boolean) => void) | undefined

  function settle(room: boolean): void {
    waiting?.(room)
    waiting = undefined
  }

  return {
    write(text) {
      const bytes = Buffer.byteLength(text)
      buffered += bytes
      send(text, () => {
        buffered -= bytes
        if (buffered <= maxBufferedBytes) settle(true)
      })
      if (buffered <= maxBufferedBytes || slow || signal.aborted) return true
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const cancel = alarm(patienceMs(buffered, heartbeatMs), () => settle(false))
      const gone = () => settle(true)
      signal.addEventListener('abort', gone)
      waiting = (room) => {
        slow = !room
        cancel()
        signal.removeEventListener('abort', gone)
        resolve(room)
      }
      return promise
    }
  }
}
