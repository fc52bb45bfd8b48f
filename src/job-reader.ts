/** A subscription's reader of its job: it can be started and stopped, and resumes where it stopped. */

import { delay, withTimeout } from './async/signals.ts'
import type { Operations } from './operations.ts'
import { backoffMs } from './policy/backoff.ts'
import { positionOf, startingAt } from './policy/position.ts'
import type { Pool } from './pool.ts'
import type { JobSnapshot, JobStatus } from './protocol/frames.ts'
import { TAIL } from './protocol/rules.ts'
import type { Mode, Position, Reader, RetryOptions } from './types.ts'

/** What a subscription uses of its client. */
export interface Wired {
  pool: Pool
  operations: Operations
}

/** Who takes what a reader gets. */
export interface Taker extends Pick<Reader, 'roomBytes' | 'event' | 'gap' | 'connection'> {
  /** Where to begin; `undefined`: where a snapshot says that the job is, or after `after`. */
  position: Position | undefined
  after: string | undefined
  /** The server reads the job, whose status is this, from the position on. */
  subscribed(status: JobStatus, position: Position): void
  /** Takes a snapshot. Returns whether the job has ended. */
  learn(snapshot: JobSnapshot): boolean
  /** The reader's mode has changed. */
  changed(): void
  /** Delivery has failed for good. */
  fail(error: unknown): void
}

/** What a reader is made of. */
export interface JobReaderOptions {
  jobId: string
  retry: Required<RetryOptions>
  /** Makes the connections at the first call. Throws where the client cannot be used here. */
  wire(): Wired
}

/** A reader that can be started and stopped. */
export interface JobReader extends Omit<Reader, 'position' | 'mode'> {
  /** Where it is in the job's log; `undefined` until it has been located. */
  position: Position | undefined
  mode: Mode
  /** Starts to read; does nothing while it reads already. */
  start(): Promise<void>
  /** Stops; the next `start` resumes at the same position. */
  stop(): void
}

/** A snapshot is waited for no longer than this before events are read from the start: a path may hold back single answers alone. */
const LOCATE_MS = 2000

/** Makes a reader, stopped. */
export function createJobReader({ jobId, retry, wire }: JobReaderOptions, taker: Taker): JobReader {
  let running: AbortController | undefined
  let pool: Pool | undefined
  let contradictions = 0

  const self: JobReader = {
    ...taker,
    job: jobId,
    mode: 'link',
    subscribed: (status) => taker.subscribed(status, reader.position),
    setMode(mode) {
      self.mode = mode
      pool?.changed(reader)
      taker.changed()
    },

    /** The reader's cursor is at the log's end already, so no event tells how the job ended. The snapshot does. */
    async done() {
      const { signal } = running as AbortController // as: only a reader that was started is told anything
      pool?.leave(reader)
      try {
        const snapshot = await wire().operations.snapshot(jobId, signal)
        if (signal.aborted) return
        const { cursor } = reader.position
        if ((cursor === TAIL || cursor === snapshot.cursor) && taker.learn(snapshot)) return
        // The snapshot contradicts it: an intermediary has made up the end (for example a stray 204). The job is read again.
        contradictions += 1
        await delay(backoffMs(contradictions, retry, Math.random), signal)
        pool?.join(reader)
      } catch (error) {
        if (!signal.aborted) taker.fail(error)
      }
    },

    async start() {
      if (running) return
      running = new AbortController()
      const { signal } = running
      const position = self.position ?? (await locate(signal))
      if (signal.aborted) return
      self.position = position
      try {
        pool = wire().pool
        pool.join(reader)
      } catch (error) {
        taker.fail(error)
      }
    },

    stop() {
      running?.abort()
      running = undefined
      pool?.leave(reader)
    }
  }
  const reader = self as Reader // as: it is located before it joins a connection

  async function locate(signal: AbortSignal): Promise<Position> {
    await undefined // a loop that begins in the same task reads the events, and needs no snapshot
    try {
      const snapshot = await withTimeout(
        (request) => wire().operations.snapshot(jobId, request, true),
        LOCATE_MS,
        signal,
        () => undefined
      )
      signal.throwIfAborted()
      taker.learn(snapshot)
      return positionOf(snapshot)
    } catch {
      // Events tell as much as the snapshot, and whatever failed here will fail, or succeed, there.
      return startingAt(taker.after)
    }
  }

  return self
}
