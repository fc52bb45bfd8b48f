/** What the loop and its traffic say to each other. */

import type { Credentials } from '../credentials.ts'
import type { JobtailError, TransportError } from '../errors.ts'
import type { RunningLink } from '../strategy/link.ts'
import type { Round } from '../strategy/round.ts'
import type { DiagnosticDetail } from '../types.ts'
import type { Readings } from './readings.ts'

/** A link with what it reads. */
export interface Carrier extends RunningLink {
  readonly readings: Readings
  /** What it was opened with. */
  readonly credentials: Credentials
  /** A look: it reads these jobs, and no more than is known now. */
  readonly looksAt: readonly string[] | undefined
}

/** What the loop tells, and is told. */
export interface Loop {
  /** The round under way. */
  round(): Round<Carrier> | undefined
  /** What is opened with now. */
  credentials(): Credentials
  /** Something is wanted: whatever runs goes on. */
  start(): void
  /** Nothing is wanted any more, for a task now. */
  release(): void
  onProved(carrier: Carrier): void
  /** A proved link's readings have changed, or what is wanted has. */
  onSettled(carrier: Carrier, serves: boolean): void
  /** A proved link can't change what it reads to what is wanted now; with `isFlood` it brings what a reader who is behind can't take. */
  onStale(isFlood: boolean): void
  onOver(carrier: Carrier, error: TransportError | undefined): void
  /** What was asked for can be read. */
  onSubscribed(): void
  /** The page is put away: nothing may be open. */
  isAway(): boolean
  onUnauthorized(error: JobtailError, carrier: Carrier): void
  /** The server is busy: wait at least so long. True where that was for this link to say. */
  onBusy(atLeastMs: number, carrier: Carrier): boolean
  emit(detail: DiagnosticDetail, transport?: string): void
}
