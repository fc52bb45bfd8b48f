import type { JobtailError } from '../errors.ts'
import type { Gap, Position } from '../policy/position.ts'
import type { JobStatus, WireEvent } from '../protocol/frames.ts'
import type { ConnectionState } from '../types.ts'

/**
 * How a reader is read for:
 * - `link`: by links, together with everybody else.
 * - `paused`: not at all, since it holds as much as it may.
 * - `paging`: by single reads of its own, each no larger than what it has room for, until it has caught up.
 */
export type Mode = 'link' | 'paused' | 'paging'

/** One who follows a job: what the connection delivers to. */
export interface Reader {
  readonly job: string
  /** Moved only by the link jobs that it takes part in, as events are received. */
  position: Position
  readonly mode: Mode
  setMode(mode: Mode): void
  /** How many bytes it can take: 0 or less where it is full. */
  roomBytes(): number
  /** `bytes`: about what it takes in memory. */
  event(event: WireEvent, bytes: number): void
  gap(gap: Gap, before: Position): void
  subscribed(status: JobStatus): void
  /** The job has ended, and its log holds no more than what was delivered. */
  done(): void
  fail(error: JobtailError): void
  connection(state: ConnectionState): void
}
