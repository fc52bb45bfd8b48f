/// <reference lib="esnext.disposable" preserve="true" />
/** The public types. Their promises are documented here, once, and in docs/API.md. */

import type { FailureReason, JobFailedError, JobtailError } from './errors.ts'
import type { JobEvent, StandardEvents } from './protocol/events.ts'
import type { Frame, ProgressData } from './protocol/frames.ts'

export type { FailureReason } from './errors.ts'
export type { Events, JobEvent, StandardEvents } from './protocol/events.ts'
export type { Control, Frame, JobSnapshot, JobStatus, ProgressData, WireEvent } from './protocol/frames.ts'

// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
type None = {}

/** What `succeeded` carries: `Events<E>['succeeded']`, spelled so that it also holds for an E not known yet. */
export type Result<E> = E extends { succeeded: infer S } ? S : StandardEvents['succeeded']

export type ConnectionPhase = 'idle' | 'connecting' | 'live' | 'waiting' | 'offline' | 'closed'

export interface ConnectionState {
  readonly phase: ConnectionPhase
  /** The transport that carries the job now. */
  readonly transport: string | undefined
  /** Failed rounds in a row. */
  readonly attempt: number
  /** When the next attempt begins, in ms since 1970, where `phase` is `waiting`. */
  readonly retryAt: number | undefined
}

/** A frozen snapshot; a new object at each change. */
export interface JobState<E = None> {
  readonly status: 'unknown' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  readonly progress: ProgressData | undefined
  readonly result: Result<E> | undefined
  readonly error: JobtailError | JobFailedError | undefined
  /** The id of the last event taken: persist it and pass it as `after` to go on from there. */
  readonly lastEventId: string | undefined
  readonly connection: ConnectionState
}

export interface SubscribeOptions {
  /** A cursor (the `id` of the last event had), or `'tail'` for only what comes next. Default: from the oldest event retained. */
  after?: string | undefined
  /** Ends the subscription; the loop throws `signal.reason`, unwrapped. */
  signal?: AbortSignal | undefined
  /** What lost history does: a `gap` event in the loop (the default), or a `JobtailError` with code `gap`. */
  onGap?: 'yield' | 'throw' | undefined
}

/** One job, followed. Inert until the first `next()`, `onChange()` or `result`. */
export interface Subscription<E = None> extends AsyncIterable<JobEvent<E>>, AsyncDisposable {
  readonly jobId: string
  readonly state: JobState<E>
  /** Calls back at most once per task after `state` has changed; returns how to stop. With `state`, the store contract of React's useSyncExternalStore. */
  onChange(listener: () => void): () => void
  /** The job's result. Rejects with `JobFailedError` where the job failed or was cancelled, `JobtailError` where delivery did. Never an unhandled rejection. */
  readonly result: Promise<Result<E>>
  /** Asks the server to cancel the job; resolves when the server has accepted. */
  cancel(): Promise<void>
  /** Detaches: ends the loop, releases everything. The job goes on. */
  close(): void
}

export interface StartOptions extends SubscribeOptions {
  /** Sent as `Idempotency-Key`, so that a repeated request starts nothing. Default: a random one. */
  idempotencyKey?: string | undefined
}

export interface Client extends Disposable {
  subscribe<E extends object = None>(jobId: string, options?: SubscribeOptions): Subscription<E>
  /** Starts a job with `POST {url}` and follows it. Retried safely. */
  start<E extends object = None>(input: unknown, options?: StartOptions): Promise<Subscription<E>>
  /** Closes every subscription. */
  close(): void
}

type Provided<T> = T | (() => T | Promise<T>)

export interface RetryOptions {
  /** Default 250. */
  baseMs?: number
  /** Default 30,000. */
  maxMs?: number
  /** Failed rounds in a row before `unreachable` is thrown. Default: Infinity. */
  attempts?: number
}

export interface ClientOptions {
  /** `{base}` of PROTOCOL.md, absolute or relative to the page. Default `'/jobs'`. */
  url?: string | URL | undefined
  /** Best first: this order is the rank. Default `[webSocket(), sse(), longPoll(), shortPoll()]`. */
  transports?: readonly Transport[] | undefined
  /** A bearer token (RFC 6750), or a function that gets one: asked at each connect, once for all candidates, and once more after a 401. */
  token?: Provided<string | undefined> | undefined
  /** Further headers, for the fetch-based transports. */
  headers?: Provided<HeadersInit> | undefined
  /** Default `'same-origin'`. */
  credentials?: RequestCredentials | undefined
  /** A candidate starts this long after the one before it, or the moment that one fails. Default 250. */
  staggerMs?: number | undefined
  /** Without a first frame by then a candidate has failed. Default 5000. */
  probeTimeoutMs?: number | undefined
  /** A JSON read beside the first probe. Default true. */
  firstLook?: boolean | undefined
  /** Where the winner is remembered. Default `indexedDbMemory()`; `false` for nowhere. */
  memory?: Memory | false | undefined
  retry?: RetryOptions | undefined
  /** How long a job that the server doesn't know yet is asked for again. Default 5000. */
  unknownJobGraceMs?: number | undefined
  /** Events held for a slow reader before its job's reading is let go. Default 1000. */
  bufferSize?: number | undefined
  /** The same in bytes, estimated. Default 4 MiB. */
  bufferBytes?: number | undefined
  /** Told everything that the connection does. */
  onDiagnostic?: ((diagnostic: Diagnostic) => void) | undefined
  /** Default: the global one. */
  fetch?: typeof fetch | undefined
  /** Default: the global one. */
  WebSocket?: typeof WebSocket | undefined
}

/** What the connection did, and when: `at` in ms since 1970 with the page's monotonic clock; `attempt` the round it belongs to. */
export type Diagnostic = { at: number; transport?: string | undefined; attempt: number } & DiagnosticDetail

export type DiagnosticDetail =
  | { type: 'probe-started' }
  | { type: 'probe-proved'; afterMs: number }
  | { type: 'probe-failed'; afterMs: number; reason: FailureReason; status?: number | undefined }
  | { type: 'probe-abandoned'; afterMs: number }
  | { type: 'live'; afterMs: number }
  | { type: 'switched'; from: string }
  | { type: 'lost'; afterMs: number; reason: FailureReason; events: number }
  | { type: 'suspected'; silentMs: number }
  | { type: 'waiting'; ms: number; reason: string }
  | { type: 'remembered' | 'recalled'; latencyMs: number }
  | { type: 'demoted'; untilMs: number }
  | { type: 'paused' | 'resumed' }
  | { type: 'offline' | 'online' }
  | { type: 'gap'; job: string; missed?: number | undefined }
  | { type: 'ended'; job: string; status: string }

/** A way to read jobs. It knows nothing of retry, rank, memory, or its siblings. */
export interface Transport {
  readonly name: string
  /** False where this environment has no such thing. */
  isSupported(): boolean
  /** Nothing happens before the first `next()` of the link's frames. */
  open(request: OpenRequest): Link
}

export interface OpenRequest {
  base: URL
  /** What to read. `ref` numbers each asking; the matching `subscribed` carries it. */
  jobs: readonly { job: string; after?: string; ref: number }[]
  token?: string | undefined
  headers: Headers
  credentials: RequestCredentials
  /** Its abort rejects a pending `next()` with `signal.reason` within a tick and releases everything. */
  signal: AbortSignal
  fetch: typeof fetch
  WebSocket: typeof WebSocket
}

export interface Link {
  /** Frames as they arrive, several at once where they came together; an empty array where bytes came that make no frame yet. The first frame proves the path; `open` events and 200s prove nothing. A broken network throws, a clean end returns. */
  readonly frames: AsyncIterable<Frame | readonly Frame[]>
  /** Changes the jobs in place. Without it, the owner opens another link for the new list. */
  update?(jobs: OpenRequest['jobs']): void
}

/** Where a client keeps what it learnt. A hint: failing, it changes nothing but the order. */
export interface Memory {
  read(key: string): Promise<unknown>
  write(key: string, value: unknown): Promise<void>
  clear(key: string): Promise<void>
}
