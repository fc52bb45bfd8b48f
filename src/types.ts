/// <reference lib="esnext.disposable" preserve="true" />
/** The public types. Their promises are documented here, once, and in docs/API.md. */

import type { FailureReason, JobFailedError, JobtailError } from './errors.ts'
import type { JobEvent, StandardEvents } from './protocol/events.ts'
import type { Frame, JobSnapshot, JobStatus, ProgressData, WireEvent } from './protocol/frames.ts'

export type { FailureReason } from './errors.ts'
export type { Events, JobEvent, StandardEvents } from './protocol/events.ts'
export type { Control, Frame, JobSnapshot, JobStatus, ProgressData, WireEvent } from './protocol/frames.ts'

// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
type None = {}

/** What `succeeded` carries: `Events<E>['succeeded']`, spelled so that it also holds for an E not known yet. */
export type Result<E> = E extends { succeeded: infer S } ? S : StandardEvents['succeeded']

/**
 * - `idle`: nobody follows, or nothing is to be read.
 * - `connecting`: transports are being tried.
 * - `live`: something delivers.
 * - `waiting`: nothing is tried before `retryAt`.
 * - `offline`: the same, and the browser says that there is no network.
 * - `closed`: the end is known, or delivery has failed for good.
 */
export type ConnectionPhase = 'idle' | 'connecting' | 'live' | 'waiting' | 'offline' | 'closed'

export interface ConnectionState {
  readonly phase: ConnectionPhase
  /** The transport that carries the job now; `read-once` while a slow reader catches up. */
  readonly transport: string | undefined
  /** Races in a row that delivered nothing. */
  readonly attempt: number
  /** When the next attempt begins, in ms since 1970, where `phase` is `waiting` or `offline`. */
  readonly retryAt: number | undefined
  /** What failed last, while nothing is delivered: undefined where `phase` is `live`, and before anything has failed. */
  readonly problem: ConnectionProblem | undefined
}

/** How a path failed, for a person to read and a program to tell apart. */
export interface ConnectionProblem {
  readonly transport: string
  readonly reason: FailureReason
  /** The HTTP status, where there was one. */
  readonly status: number | undefined
  readonly message: string
}

/** A frozen snapshot; a new object at each change. */
export interface JobState<E = None> {
  readonly status: 'unknown' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  /** Of the latest `progress`; frozen, and not the event's own object. */
  readonly progress: Readonly<ProgressData> | undefined
  readonly result: Result<E> | undefined
  readonly error: JobtailError | JobFailedError | undefined
  /** The id of the last event taken: persist it and pass it as `after` to go on from there. */
  readonly lastEventId: string | undefined
  readonly connection: ConnectionState
}

export interface SubscribeOptions {
  /**
   * A cursor (the `id` of the last event had), or `'tail'` for only what comes next.
   * @defaultValue from the oldest event retained
   */
  after?: string | undefined
  /** Ends the subscription; the loop throws `signal.reason`, unwrapped. */
  signal?: AbortSignal | undefined
  /**
   * What lost history does: a `gap` event in the loop, or a `JobtailError` with code `gap`.
   * @defaultValue `'yield'`
   */
  onGap?: 'yield' | 'throw' | undefined
}

/**
 * One job, followed. Inert until the first `next()`, `onChange()` or `result`. As an iterable: every retained event once, in order, to the job's end.
 * @throws JobtailError in the loop and of `result`, where delivery has failed for good, by code: `unauthorized`, `forbidden`, `unknown-job`, `history-gone`, `bad-request`, as the server
 * said; `gap` with `onGap: 'throw'`; `unreachable` after `retry.attempts`; `unsupported` without a transport; `protocol` for a snapshot that is none
 * @throws TypeError at a second iteration: each loop has a subscription of its own
 */
export interface Subscription<E = None> extends AsyncIterable<JobEvent<E>>, AsyncDisposable {
  readonly jobId: string
  readonly state: JobState<E>
  /** Calls back at most once per task after `state` has changed; returns how to stop. With `state`, the store contract of React's useSyncExternalStore. */
  onChange(listener: () => void): () => void
  /**
   * The job's result. Never an unhandled rejection.
   * @throws JobFailedError where the job failed or was cancelled
   * @throws JobtailError as the loop does, and `closed` after `close()` or `break`; after an abort the signal's reason
   */
  readonly result: Promise<Result<E>>
  /**
   * Asks the server to cancel the job; repeated until it is answered, resolves when the server has accepted.
   * @throws JobtailError as the server refuses, `unsupported` where the backend has no such thing, `unreachable` after `retry.attempts`, `protocol`, `closed`
   */
  cancel(): Promise<void>
  /** Detaches: ends the loop, releases everything. The job goes on. */
  close(): void
}

export interface StartOptions extends SubscribeOptions {
  /**
   * Sent as `Idempotency-Key`, so that a repeated request starts nothing.
   * @defaultValue a random one
   */
  idempotencyKey?: string | undefined
}

export interface Client extends Disposable {
  /**
   * Follows a job, once somebody reads.
   * @throws JobtailError `bad-request`, at once, for an option or an id that is none
   */
  subscribe<E extends object = None>(jobId: string, options?: SubscribeOptions): Subscription<E>
  /**
   * Starts a job with `POST {url}` and follows it. Repeated, safely, until it is answered.
   * @throws JobtailError as the server refuses, `bad-request` for an option or an input that is no JSON, `unsupported` where the backend has no such thing,
   * `unreachable` after `retry.attempts`, `protocol`, `closed`
   */
  start<E extends object = None>(input: unknown, options?: StartOptions): Promise<Subscription<E>>
  /** Closes every subscription; what follows later fails with `closed`. */
  close(): void
}

type Provided<T> = T | (() => T | Promise<T>)

/**
 * How long nothing is tried after a failure: anything between nothing and `baseMs` doubled with each one in a row, at most `maxMs` (full jitter). At once
 * after a connection that lasted 5 s.
 */
export interface RetryOptions {
  /**
   * In ms, from 1.
   * @defaultValue 250
   */
  baseMs?: number
  /**
   * In ms, from 1. Also the least pause while the browser says that it is offline.
   * @defaultValue 30,000
   */
  maxMs?: number
  /**
   * Races in a row that deliver nothing, and tries of a request, before `unreachable` is thrown: from 1.
   * @defaultValue Infinity: for ever
   */
  attempts?: number
}

/**
 * Checked when the client is made. A time is in ms, and no longer than a timer can wait, 24.8 days (HTML §8.6): what is more, `Infinity` as well, is that.
 * An option that is `undefined` has its default.
 */
export interface ClientOptions {
  /**
   * `{base}` of PROTOCOL.md: `http:` or `https:`, relative to the document's base as in `fetch`; outside of a page absolute.
   * @defaultValue `'/jobs'`
   */
  url?: string | URL | undefined
  /**
   * Best first: this order is the rank. Each has a name of its own.
   * @defaultValue the backend's: `[webSocket(), sse(), longPoll(), shortPoll()]`
   */
  transports?: readonly Transport[] | undefined
  /**
   * What the server speaks.
   * @defaultValue Jobtail's own protocol
   */
  backend?: Backend | undefined
  /**
   * A bearer token (RFC 6750), or a function that gets one: asked at each connect, once for all candidates, and once more after a 401. Any characters that
   * a header's value can carry, but blanks (RFC 9110 §5.5): with others, `bad-request` is thrown. `undefined`: none.
   */
  token?: Provided<string | undefined> | undefined
  /** Further headers, or a function that gets them, as for `token`; for what is read by fetch. */
  headers?: Provided<HeadersInit> | undefined
  /**
   * As in `fetch`, for what is read by it.
   * @defaultValue `'same-origin'`
   */
  credentials?: RequestCredentials | undefined
  /**
   * A candidate starts so many ms after the one before it, or the moment that one fails; `Infinity`: only then. 0: all at once.
   * @defaultValue 250
   */
  staggerMs?: number | undefined
  /**
   * Without a first frame by then, in ms from 1, a candidate has failed. Doubled with each race in a row that delivers nothing, up to a minute.
   * @defaultValue 5000
   */
  probeTimeoutMs?: number | undefined
  /**
   * A single read beside the first probe, by which a finished job is delivered without a connection.
   * @defaultValue true
   */
  firstLook?: boolean | undefined
  /**
   * Where the winner is remembered; `false` for nowhere.
   * @defaultValue `indexedDbMemory()`; of `jobtail/core`: `false`
   */
  memory?: Memory | false | undefined
  retry?: RetryOptions | undefined
  /**
   * How long a job that the server doesn't know yet is asked for again, in ms; 0: not once.
   * @defaultValue 5000
   */
  unknownJobGraceMs?: number | undefined
  /**
   * Events held for a slow loop before its job's reading is let go: from 1; `Infinity`: no bound.
   * @defaultValue 100,000
   */
  bufferSize?: number | undefined
  /**
   * The same in bytes, estimated; four times that is the window that a server is asked to keep to (PROTOCOL.md §2). `Infinity`: neither.
   * @defaultValue 4 MiB
   */
  bufferBytes?: number | undefined
  /**
   * Shares what is read with others, as with the same page's other tabs.
   * @defaultValue with nobody
   */
  share?: Share | undefined
  /** Told everything that the connection does. What it throws is logged, and changes nothing. */
  onDiagnostic?: ((diagnostic: Diagnostic) => void) | undefined
  /** @defaultValue the global one */
  fetch?: typeof fetch | undefined
  /** @defaultValue the global one */
  WebSocket?: typeof WebSocket | undefined
}

/** Why nothing is tried for a while: no transport has delivered; what delivered did not last; the server is closing connections (`bye`), or has asked for the pause. */
export type WaitReason = 'unreachable' | 'unstable' | 'bye' | 'busy'

/**
 * What the connection did, and when: `at` in ms since 1970, of a clock that doesn't jump (High Resolution Time §5); `attempt` numbers the races, from 1; 0: it
 * belongs to none. `transport` is `token` where the token or header source has failed.
 */
export type Diagnostic = { at: number; transport?: string | undefined; attempt: number } & DiagnosticDetail

/** `afterMs`: since the probe's start; of `live` since the race's; of `lost` since its first frame. `events`: those that nobody had had. `untilMs`: since 1970. */
export type DiagnosticDetail =
  | { type: 'probe-started' }
  | { type: 'probe-proved'; afterMs: number }
  | { type: 'probe-failed'; afterMs: number; reason: FailureReason; status?: number | undefined }
  | { type: 'probe-abandoned'; afterMs: number }
  | { type: 'live'; afterMs: number }
  | { type: 'switched'; from: string }
  | { type: 'lost'; afterMs: number; reason: FailureReason; events: number }
  | { type: 'suspected'; silentMs: number }
  | { type: 'waiting'; ms: number; reason: WaitReason }
  | { type: 'remembered' | 'recalled'; latencyMs: number }
  | { type: 'demoted'; untilMs: number }
  | { type: 'paused' | 'resumed' }
  | { type: 'offline' | 'online' }
  | { type: 'gap'; job: string; missed?: number | undefined }
  | { type: 'ended'; job: string; status: string }

/** A way to read jobs. It knows nothing of retry, rank, memory, or its siblings. */
export interface Transport {
  /** Unique among a client's transports. */
  readonly name: string
  readonly traits?: TransportTraits
  /** False where this environment has no such thing. `environment` holds what the client was given in place of the globals. */
  isSupported(environment: Environment): boolean
  /** Where it is there at some times only, as a connection that another tab holds. Default: always. */
  readonly availability?: Availability
  /** Nothing happens before the first `next()` of the link's frames. */
  open(request: OpenRequest): Link
}

/** What a client has to know of a transport beyond its name. */
export interface TransportTraits {
  /** A refusal's HTTP status can't be seen (a WebSocket handshake): it has no vote where every path gives the same 4xx. */
  readonly hidesStatus?: boolean
  /** It asks again and again, each answer from where the last one ended: held by the server until there is something, or at once, so that its silence is never suspect. */
  readonly polls?: 'long' | 'short'
}

export interface Availability {
  readonly isAvailable: boolean
  /** Calls back after each change; returns how to stop. */
  onChange(listener: () => void): () => void
}

/** In place of the globals, or the globals themselves; undefined where there is none. */
export interface Environment {
  fetch: typeof fetch
  WebSocket: typeof WebSocket | undefined
}

/** What every request of one connect carries. */
export interface RequestContext {
  /** `url` of the client's options, absolute. */
  base: URL
  token?: string | undefined
  headers: Headers
  credentials: RequestCredentials
  /** Its abort rejects what is pending with `signal.reason` within a tick and releases everything. For one request, or one link. */
  signal: AbortSignal
  fetch: typeof fetch
}

/** One job to be read, and where its reader is. */
export interface JobCursor {
  job: string
  /** A cursor, or `tail`; absent: from the oldest event retained. */
  after?: string
  /** The log's epoch, and the seq of the last event had in it; absent before a `subscribed` has told them. */
  epoch?: string
  seq?: number
  /** Numbers each asking; the matching `subscribed` carries it. */
  ref: number
}

export interface OpenRequest extends RequestContext {
  /** What to read. */
  jobs: readonly JobCursor[]
  /** How many bytes may be on their way before the page has read any: what its readers can hold; `Infinity`: as many as there are. */
  windowBytes: number
  /** An answer came from somewhere else than asked for, or again: ask so that no cache has seen it, the cursor in each place that can carry it. */
  isFresh: boolean
  WebSocket: typeof WebSocket | undefined
}

/** Frames that came together. */
export interface Batch extends ReadonlyArray<Frame> {
  /** The length of the text that they came as, where the transport knows it. */
  readonly textLength?: number
}

export interface Link {
  /**
   * Frames as they arrive, several at once where they came together; an empty array where bytes came that make no frame yet. First `hello` with `protocol: 1`,
   * for each job `subscribed`, then its events, each with the next `seq` (PROTOCOL.md §6). The first frame that is no `error` proves the path; `open` events and 200s prove nothing.
   * A broken network throws a `TransportError`, a clean end returns.
   */
  readonly frames: AsyncIterable<Frame | Batch>
  /** Changes the jobs in place. Without it, the owner opens another link for the new list. */
  update?(jobs: OpenRequest['jobs']): void
}

/**
 * What a backend can promise of a server that doesn't number its events:
 * - `log`: the server gives cursors. Each retained event once, across reloads.
 * - `replay`: no cursors, but every reading begins at the first event. Each event once, by counting.
 * - `state`: a document. Each observed change once, without gaps; what came and went between two looks never was.
 * - `lossy`: neither. A `gap` after each reconnect.
 */
export type Promises = 'log' | 'replay' | 'state' | 'lossy'

/**
 * What speaks to one kind of server: how each reading is opened, how to read once, and, where the server has them, snapshot, start and cancel.
 * Its methods throw `TransportError` where the path has failed, `JobtailError` where the server has refused.
 */
export interface Backend {
  /**
   * What can be kept of a server that doesn't number its events itself; absent: it does, as Jobtail's own. With a promise, each reader has links of its own,
   * since they number for it alone, and no first read.
   */
  readonly promises?: Promises
  /** The readings that there are, best first: the default of the client's `transports`. */
  readonly transports: readonly Transport[]
  /** Reads what is known now, to its end, and ends. Without it nothing is read beside a connection. */
  readonly readOnce?: Transport
  /** What a job id, or an `after`, has to be, in words, where `value` isn't that; undefined where it is. Default: a string that isn't empty. */
  expected?(what: 'job id' | 'after', value: unknown): string | undefined
  /** How a job stands. Without it, state and result come from the events alone. */
  snapshot?(request: RequestContext, job: string): Promise<JobSnapshot>
  /** Starts a job; repeated with the same key it starts nothing. Without it, `start` rejects with `unsupported`. */
  start?(request: RequestContext, input: unknown, idempotencyKey: string): Promise<{ id: string }>
  /** Asks for a job's cancellation. Without it, `cancel` rejects with `unsupported`. */
  cancel?(request: RequestContext, job: string): Promise<void>
}

/**
 * Lets somebody else carry what this client follows, and this client carry what somebody else follows: other tabs, or frames. Called once, at the client's
 * first use; what it gives ranks above the client's own transports, and its `availability` says whether somebody else carries now. While nobody does,
 * the readers that it adds are read for by the client's own transports.
 */
export type Share = (host: ShareHost) => Transport

export interface ShareHost {
  /** With `credentials`, what says whose jobs these are; what an identity is, the application knows. */
  readonly base: URL
  readonly credentials: RequestCredentials
  /** Aborts when the client is closed. */
  readonly signal: AbortSignal
  /** Has the client read a job for somebody else: each event from the reader's position on, once, in order. */
  join(reader: Reader): void
  leave(reader: Reader): void
  /** To be called whenever the reader's mode has changed. */
  changed(reader: Reader): void
}

/** Where a reader is in its job's log. */
export interface Position {
  /** Undefined until a `subscribed` has told it. */
  readonly epoch: string | undefined
  /** The last event had; 0: none. */
  readonly seq: number
  /** The next `after`: a cursor, `tail`, or undefined for the oldest retained. */
  readonly cursor: string | undefined
  /** Epochs that this reader has left: their frames are dropped. */
  readonly left: readonly string[]
}

/** What a reader has lost on the way to its position; `missed` is undefined where nobody knows how many events. */
export interface Gap {
  missed: number | undefined
  reason: 'retention' | 'epoch'
}

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

/**
 * Where a client keeps what it learnt: which transport won, when and how soon, and what is held against the others; no job, no token. One entry per base URL and,
 * where the browser tells it, type of network, which are the key. A value is plain data, as JSON or a structured clone keeps it, and is good for a day.
 * A hint: failing, or with anything in it, it changes nothing but order and patience.
 */
export interface Memory {
  /** What was written last under this key, or undefined. Waited for no longer than 50 ms. */
  read(key: string): Promise<unknown>
  write(key: string, value: unknown): Promise<void>
}
