/** What a client reports of its connection. */

import type { FailureReason } from '../errors.ts'
import type { WireEvent } from '../protocol/frames.ts'
import type { Subscription } from './client.ts'

/**
 * Why nothing is tried for a while:
 * - `unreachable`: no transport has delivered.
 * - `unstable`: the connection did not last.
 * - `bye`: the server announced that it closes the connection.
 * - `busy`: the server, or an intermediary, asked for a pause (`Retry-After`, or 429).
 */
export type WaitReason = 'unreachable' | 'unstable' | 'bye' | 'busy'

/**
 * One thing that the connection did.
 * - `at`: when, in ms since 1970, by a clock that does not jump (High Resolution Time §5).
 * - `transport`: the transport's name; `token` where the token or header source has failed.
 * - `attempt`: the number of the race, from 1; 0 for what belongs to no race.
 */
export type Diagnostic = { at: number; transport?: string | undefined; attempt: number } & DiagnosticDetail

/** What happened, by `type`. Times that end in `Ms` are durations in ms, except `untilMs`, which is in ms since 1970. */
export type DiagnosticDetail =
  /** The race has started a transport. */
  | { type: 'probe-started' }
  /** The transport has delivered its first frame, `afterMs` after its start. */
  | { type: 'probe-proved'; afterMs: number }
  /** The transport has failed before its first frame, `afterMs` after its start. */
  | { type: 'probe-failed'; afterMs: number; reason: FailureReason; status?: number | undefined }
  /** The transport was closed before its first frame, because it is no longer needed. */
  | { type: 'probe-abandoned'; afterMs: number }
  /** The transport carries the jobs now, `afterMs` after the race began. */
  | { type: 'live'; afterMs: number }
  /** The transport has taken over from the one named `from`. */
  | { type: 'switched'; from: string }
  /** A transport that had delivered has failed, `afterMs` after its first frame. `events`: how many it was the first to bring. */
  | { type: 'lost'; afterMs: number; reason: FailureReason; events: number }
  /** The live transport has brought no event for longer than is usual; a single read checks it. */
  | { type: 'suspected'; silentMs: number }
  /** Nothing is tried for `ms`. */
  | { type: 'waiting'; ms: number; reason: WaitReason }
  /** The winner was stored (`remembered`), or read back (`recalled`). `latencyMs`: from its start to its first frame. */
  | { type: 'remembered' | 'recalled'; latencyMs: number }
  /** The transport's connections were too short several times in a row; until `untilMs` it ranks below the others. */
  | { type: 'demoted'; untilMs: number }
  /** A loop is slow: the client has stopped reading for it (`paused`), or reads for it again (`resumed`). */
  | { type: 'paused' | 'resumed' }
  /** The browser has reported that it is offline, or online again. */
  | { type: 'offline' | 'online' }
  /** Events of the job are lost; `missed` is absent where their number is unknown. */
  | { type: 'gap'; job: string; missed?: number | undefined }
  /** The job's terminal event has been received. */
  | { type: 'ended'; job: string; status: string }

/**
 * What `observe` tells: a diagnostic; or that the state of a subscription has changed, by `event` or, without one, by a snapshot or by its connection.
 * `job` is the application's own subscription: reading its `state` changes nothing.
 */
export type Observation =
  | Diagnostic
  | { type: 'job'; at: number; attempt: number; transport?: string | undefined; job: Pick<Subscription, 'jobId' | 'state'>; event?: WireEvent | undefined }
