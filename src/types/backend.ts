/** What a client needs of a server's protocol, and of a place to remember things. */

import type { JobSnapshot } from '../protocol/frames.ts'
import type { RequestContext, Transport } from './transport.ts'

/**
 * What a backend can promise of a server that does not number its events:
 * - `log`: the server has cursors. Every retained event is delivered once, also across reloads.
 * - `replay`: no cursors, but every reading begins at the first event. Every event is delivered once, by counting.
 * - `state`: the server has a status document. Every observed change is delivered once. A change that is undone between two reads is never seen, and no gap
 *   is reported.
 * - `lossy`: neither. Each reconnect is a `gap`.
 */
export type Promises = 'log' | 'replay' | 'state' | 'lossy'

/**
 * Speaks the protocol of one kind of server. Each method makes one request; the client repeats it, and asks for another token. The methods throw
 * `TransportError` where the path has failed, and `JobtailError` where the server has refused.
 */
export interface Backend {
  /**
   * What can be promised of a server that does not number its events. With it, every subscription has links of its own, since their numbers are its own, and
   * no single read runs beside the first probes.
   * @defaultValue the server numbers its events, as Jobtail's own does
   */
  readonly promises?: Promises
  /** The transports that it offers, in order of preference: the default of the client's `transports`. */
  readonly transports: readonly Transport[]
  /** Reads what the server knows now, to its end, and ends. Without it nothing is read beside a connection. */
  readonly readOnce?: Transport
  /**
   * Says what a job id, or an `after`, has to be, in words for an error message; `undefined` where `value` is valid.
   * @defaultValue a string that is not empty
   */
  expected?(what: 'job id' | 'after', value: unknown): string | undefined
  /** Reads a job's current state. Without it, `state` and `result` come from the events alone. */
  snapshot?(request: RequestContext, job: string): Promise<JobSnapshot>
  /** Starts a job; a repeat with the same key must not start another. Without it, the client's `start` rejects with `unsupported`. */
  start?(request: RequestContext, input: unknown, idempotencyKey: string): Promise<{ id: string }>
  /** Asks for a job's cancellation. Without it, `cancel` rejects with `unsupported`. */
  cancel?(request: RequestContext, job: string): Promise<void>
}

/**
 * Where a client stores what it has learnt: which transport won, when and how fast, and which ones failed. No job and no token is stored. There is one entry
 * per base URL and, where the browser tells it, type of network; both are in the key. Values are plain data, as JSON or a structured clone keeps it, and
 * count for a day.
 *
 * It is a hint: whatever it returns or throws changes nothing but the order of transports and how long they are waited for.
 */
export interface Memory {
  /** The value that was written last under this key, or `undefined`. The client waits for it no longer than 50 ms. */
  read(key: string): Promise<unknown>
  /** Stores a value under this key. */
  write(key: string, value: unknown): Promise<void>
}

/**
 * Where a client keeps the ids of the jobs that this browser follows, for `jobs()`: a list of `{ id, since }` for each base URL and `identity`, which are in
 * the key. Values are plain data. What comes back is checked. Where it fails, the list is that of the page alone.
 */
export interface JobStorage {
  /**
   * Replaces the value under this key, `undefined` where there is none, by what `change` makes of it, in one step: no other page changes it in between.
   * `undefined` removes it. Resolves with the new value.
   */
  update(key: string, change: (value: unknown) => unknown): Promise<unknown>
}
