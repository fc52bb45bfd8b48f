import type { JobtailError } from '../errors.ts'
import type { Gap, Position } from '../policy/position.ts'
import type { JobStatus, WireEvent } from '../protocol/frames.ts'
import type { ConnectionState } from '../types.ts'

/** One who follows a job: what the connection delivers to. */
export interface Reader {
  readonly job: string
  /** Moved only by the readings that it is attached to, as events are received. */
  position: Position
  /** It holds as much as it may. */
  readonly full: boolean
  /** Its job's reading is let go until it has room. */
  paused: boolean
  /** There is more than it, or a link, takes at once: it is read for by single requests, as fast as it takes what they bring, until it has caught up. No link reads for it meanwhile. */
  behind: boolean
  event(event: WireEvent): void
  gap(gap: Gap, before: Position): void
  subscribed(status: JobStatus): void
  /** The job has ended, and its log holds no more than what was delivered. */
  done(): void
  fail(error: JobtailError): void
  connection(state: ConnectionState): void
}
