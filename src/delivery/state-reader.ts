/** Follows a job for its state and result alone, without a queue. It begins at the job's current position, and later resumes where it stopped. */

import type { Position, Reader } from '../types.ts'

/** What a state reader uses of its subscription. */
export interface StateReaderOptions {
  /** Gets the position to begin at. Called once, unless it is aborted. */
  locate(signal: AbortSignal): Promise<Position>
  /** Adds a reader at this position; `undefined` where that failed. The signal aborts when the reader has stopped. */
  join(position: Position, signal: AbortSignal): Reader | undefined
  /** Removes the reader. */
  leave(reader: Reader): void
}

/** A reader that can be started and stopped. */
export interface StateReader {
  /** Starts to follow; does nothing while it follows already. */
  start(): void
  /** Stops; the next `start` resumes at the same position. */
  stop(): void
}

/** Makes a state reader, stopped. */
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
