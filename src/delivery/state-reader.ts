/** Follows a job for its state and result alone, without a queue: from where the last one was, or from where the job is now. */

import type { Position, Reader } from '../types.ts'

export interface StateReaderOptions {
  /** Where to follow from at first. */
  locate(signal: AbortSignal): Promise<Position>
  /** Follows from there; undefined where that has failed. The signal aborts when it follows no more. */
  join(position: Position, signal: AbortSignal): Reader | undefined
  leave(reader: Reader): void
}

export interface StateReader {
  start(): void
  /** Lets go; the next `start` goes on from there. */
  stop(): void
}

export function createStateReader({ locate, join, leave }: StateReaderOptions): StateReader {
  let running: AbortController | undefined
  let position: Position | undefined
  let reader: Reader | undefined

  async function follow(signal: AbortSignal): Promise<void> {
    const from = position ?? (await locate(signal))
    if (signal.aborted) return
    position = from
    reader = join(from, signal)
  }

  return {
    start() {
      if (running) return
      running = new AbortController()
      void follow(running.signal)
    },
    stop() {
      running?.abort()
      running = undefined
      if (!reader) return
      position = reader.position
      leave(reader)
      reader = undefined
    }
  }
}
