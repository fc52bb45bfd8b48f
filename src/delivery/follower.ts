/** One who only wants to know how a job stands: takes its snapshot, then follows from there. */

import { type Position, startingAt } from '../policy/position.ts'
import type { JobSnapshot } from '../protocol/frames.ts'
import type { Reader } from './reader.ts'

export interface FollowerOptions {
  after: string | undefined
  join(reader: Reader): void
  leave(reader: Reader): void
  /** `once`: without repeating what failed. */
  snapshot(signal: AbortSignal, once: boolean): Promise<JobSnapshot>
  /** The signal aborts when it follows no more. */
  createReader(position: Position, signal: AbortSignal): Reader
  onSnapshot(snapshot: JobSnapshot): void
  onError(error: unknown): void
}

export interface Follower {
  start(): void
  /** Lets go; the next `start` goes on from there. */
  stop(): void
}

export function createFollower({ after, join, leave, snapshot, createReader, onSnapshot, onError }: FollowerOptions): Follower {
  let position: Position | undefined
  let running: AbortController | undefined
  let reader: Reader | undefined

  async function locate(signal: AbortSignal): Promise<Position> {
    try {
      const told = await snapshot(signal, true)
      if (!signal.aborted) onSnapshot(told)
      return { epoch: told.epoch, seq: told.seq, cursor: told.cursor, left: [] }
    } catch {
      // The events themselves say what is wrong, and tell as much as the snapshot.
      return startingAt(after)
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    const from = position ?? (await locate(signal))
    if (signal.aborted) return
    position = from
    reader = createReader(from, signal)
    try {
      join(reader)
    } catch (error) {
      onError(error)
    }
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
