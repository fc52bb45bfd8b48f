/** A job's log (PROTOCOL.md §1): it grows, drops its oldest events, is rebuilt from nothing, and ends. */

import type { WireEvent } from '../../../src/protocol/frames.ts'
import { event } from '../recorder.ts'

export const JOB = '1'

/** The log at one moment. */
export interface Moment {
  epoch: number
  /** The seq of the oldest event retained; `head` + 1: none is. */
  oldest: number
  head: number
  ended: boolean
}

export interface Place {
  epoch: number
  seq: number
}

/** A cursor contains its epoch and its seq. */
export const cursorOf = ({ epoch, seq }: Place): string => `${epoch}-${seq}`
export function placeOf(cursor: string): Place {
  const [epoch, seq] = cursor.split('-').map(Number)
  return { epoch: epoch ?? 0, seq: seq ?? 0 }
}

export interface Log {
  now(): Moment
  append(count: number): void
  /** Drops up to `count` of the oldest events. */
  trim(count: number): void
  /** Rebuilds the log from nothing, in a new epoch. */
  replace(): void
  finish(): void
  at(seq: number): WireEvent
  /** Where a reading after `cursor` begins. */
  begin(cursor: string | undefined): Place
}

export function createLog(): Log {
  let now: Moment = { epoch: 1, oldest: 1, head: 0, ended: false }
  return {
    now: () => now,
    append(count) {
      if (!now.ended) now = { ...now, head: now.head + count }
    },
    trim(count) {
      now = { ...now, oldest: Math.min(now.head + 1, now.oldest + count) }
    },
    replace() {
      now = { epoch: now.epoch + 1, oldest: 1, head: 0, ended: false }
    },
    finish() {
      if (!now.ended) now = { ...now, head: now.head + 1, ended: true }
    },
    at: (seq) => event(JOB, `${now.epoch}`, seq, now.ended && seq === now.head ? 'succeeded' : 'progress'),
    begin(cursor) {
      const { epoch, oldest, head } = now
      if (cursor === 'tail') return { epoch, seq: head }
      const place = cursor === undefined ? undefined : placeOf(cursor)
      const isForeign = place?.epoch !== epoch || place.seq > head
      return { epoch, seq: isForeign ? oldest - 1 : Math.max(place.seq, oldest - 1) }
    }
  }
}
