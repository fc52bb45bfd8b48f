/** What a transport is, and what it is given to read. */

import type { Frame } from '../protocol/frames.ts'

/** One way to read jobs. A transport opens links; retries, ranking and memory are the client's. */
export interface Transport {
  /** Its name in diagnostics and in `ConnectionState`. Unique among a client's transports. */
  readonly name: string
  /** Properties that the client has to know. */
  readonly traits?: TransportTraits
  /** False where the environment lacks what it needs. `environment` has what the client was given in place of the globals. */
  isSupported(environment: Environment): boolean
  /**
   * Says whether the transport can be used now, where that changes while the page lives, for example because another tab holds the connection.
   * @defaultValue it can always be used
   */
  readonly availability?: Availability
  /** Makes a link. No request is made before the first `next()` of the link's frames. */
  open(request: OpenRequest): Link
}

/** Properties of a transport that change how the client treats it. */
export interface TransportTraits {
  /** The HTTP status of a refusal cannot be seen (a WebSocket handshake), so the transport has no vote on whether every path gives the same 4xx. */
  readonly hidesStatus?: boolean
  /**
   * It asks again and again, each time from where the last answer ended. `'long'`: the server holds each request until there is an event. `'short'`: the
   * server answers at once, so that silence between two requests is never suspect.
   */
  readonly polls?: 'long' | 'short'
}

/** Whether a transport can be used at this moment. */
export interface Availability {
  /** True while it can. */
  readonly isAvailable: boolean
  /** Registers a listener for changes, and returns a function that removes it. */
  onChange(listener: () => void): () => void
}

/** What a transport uses of its environment: the client's options in place of the globals, or the globals. */
export interface Environment {
  /** The `fetch` to use. */
  fetch: typeof fetch
  /** The `WebSocket` to use; `undefined` where there is none. */
  WebSocket: typeof WebSocket | undefined
}

/** What every request of one connect has in common. */
export interface RequestContext {
  /** The client's `url`, absolute. */
  base: URL
  /** The bearer token. */
  token?: string | undefined
  /** The client's further headers. */
  headers: Headers
  /** The mode of every `fetch`. */
  credentials: RequestCredentials
  /** For one request, or one link. Its abort must reject what is pending with `signal.reason` within a task, and release everything. */
  signal: AbortSignal
  /** The `fetch` to use. */
  fetch: typeof fetch
}

/** A job to read, and the position to read it from. */
export interface JobCursor {
  /** The job's id. */
  job: string
  /** The cursor to read after, or `tail`; absent: from the oldest event retained. */
  after?: string
  /** The epoch of the job's log at that cursor; absent until a `subscribed` has told it. */
  epoch?: string
  /** The seq of the event at that cursor, within `epoch`; absent until a `subscribed` has told it. */
  seq?: number
  /** The number of this request. The `subscribed` that answers it carries the same number, where the wire has room for it. */
  ref: number
}

/** What a link is opened with. */
export interface OpenRequest extends RequestContext {
  /** The jobs to read. */
  jobs: readonly JobCursor[]
  /** How many bytes of events the server may send before the page has read any; `Infinity`: no limit. */
  windowBytes: number
  /**
   * True after an answer began elsewhere than at the requested cursor, or where this request repeats an earlier one. The transport then has to bypass every
   * cache, and to send the cursor in each place that can carry it. A link of several requests reads it for each one: it may change to false.
   */
  isFresh: boolean
  /** The `WebSocket` to use; `undefined` where there is none. */
  WebSocket: typeof WebSocket | undefined
}

/** Frames that arrived together. Empty: bytes have arrived that do not make a frame yet. */
export interface Batch extends ReadonlyArray<Frame> {
  /** The length of the text that the frames were parsed from, by which their memory is estimated; absent where the transport does not know it. */
  readonly textLength?: number
}

/** One connection, or one series of requests, that reads jobs. */
export interface Link {
  /**
   * Frames as they arrive: `hello` with `protocol: 1`, then for each job `subscribed` and its events, each with the next `seq` (PROTOCOL.md §6). The first
   * frame that is not an `error` proves that the path delivers; an open socket or a status 200 proves nothing.
   *
   * A broken network throws a `TransportError`. A clean end returns; it ends the link, never the job.
   */
  readonly frames: AsyncIterable<Frame | Batch>
  /** Changes the jobs in place: `jobs` is the whole new list. Without this method the client opens another link for the new list. */
  update?(jobs: OpenRequest['jobs']): void
}
