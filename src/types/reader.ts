/** A reader, to whom the connection delivers a job's events, and how clients read for each other. */

import type { JobtailError } from '../errors.ts'
import type { JobStatus, WireEvent } from '../protocol/frames.ts'
import type { ConnectionState } from './state.ts'
import type { Transport } from './transport.ts'

/**
 * Lets clients read for each other, for example those of several tabs or frames. It is called once, at the client's first use. The transport that it returns
 * ranks above the client's own; its `availability` says whether another client reads now. While none does, this client's own transports read, also for the
 * readers that others have added with `host.join`.
 */
export type Share = (host: ShareHost) => Transport

/** What a `Share` is given of its client. */
export interface ShareHost {
  /** The client's `url`, absolute. Only the application knows which users may share; this URL and `credentials` tell part of it. */
  readonly base: URL
  /** The client's `credentials` mode. */
  readonly credentials: RequestCredentials
  /** Aborts when the client is closed. */
  readonly signal: AbortSignal
  /** Makes the client read a job for somebody else: every event from the reader's position on, once, in order. */
  join(reader: Reader): void
  /** Ends what `join` began. */
  leave(reader: Reader): void
  /** Has to be called whenever the reader's `mode` has changed. */
  changed(reader: Reader): void
}

/** A position in a job's log. */
export interface Position {
  /** The log's epoch; `undefined` until a `subscribed` has told it. */
  readonly epoch: string | undefined
  /** The seq of the last event received; 0 before the first. */
  readonly seq: number
  /** The next `after`: a cursor, `tail`, or `undefined` for the oldest event retained. */
  readonly cursor: string | undefined
  /** The epochs that this reader has left. Frames of these epochs are dropped. */
  readonly left: readonly string[]
}

/** History that a reader has lost. */
export interface Gap {
  /** How many events; `undefined` where nobody knows. */
  missed: number | undefined
  /** `retention`: the server has dropped the events. `epoch`: the log was replaced by another one. */
  reason: 'retention' | 'epoch'
}

/**
 * How a reader gets its events:
 * - `link`: from links, together with the job's other readers.
 * - `paused`: not at all, because it holds as much as it may.
 * - `paging`: by single reads of its own, each no larger than the room that it has, until it has caught up.
 */
export type Mode = 'link' | 'paused' | 'paging'

/** One who follows a job: the connection calls its methods. */
export interface Reader {
  /** The job's id. */
  readonly job: string
  /** Where it is in the job's log. Written by the connection alone, as events are received. */
  position: Position
  /** How it gets its events now. */
  readonly mode: Mode
  /** Called to change `mode`. */
  setMode(mode: Mode): void
  /** How many bytes of events it can still take; 0 or less: it is full. */
  roomBytes(): number
  /** Delivers the next event. `bytes`: roughly how much memory it takes. */
  event(event: WireEvent, bytes: number): void
  /** Reports lost history. `before`: the reader's position before the gap. */
  gap(gap: Gap, before: Position): void
  /** The server reads the job for it. `status`: how the job stands now. */
  subscribed(status: JobStatus): void
  /** The job has ended, and everything that its log holds was delivered. */
  done(): void
  /** Delivery has failed for good. */
  fail(error: JobtailError): void
  /** Reports how the connection stands. */
  connection(state: ConnectionState): void
}
