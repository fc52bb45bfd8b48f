/** What `describeBackend` needs of a backend, and of a server for it. */

/** An event, as a subscription delivers it. */
export interface SeenEvent {
  /** The event's cursor. */
  id: string
  /** Its number in the job's log. */
  seq: number
  type: string
  data: unknown
}

/** The functions of a client of `jobtail` or `jobtail/core` that the suite uses. */
export interface FollowingClient {
  /** Follows a job. */
  subscribe(jobId: string, options?: { after?: string; signal?: AbortSignal }): AsyncIterable<SeenEvent>
  /** Ends every subscription. */
  close(): void
}

/** A job of the server under test. */
export interface ServedJob {
  /** The id to follow the job by. */
  id: string
  /** Makes the job do step `n`, from 1: the server publishes an event for it, or shows it in the job's state. */
  step(n: number): void | Promise<void>
  /** Ends the job successfully. */
  end(): void | Promise<void>
}

/** A backend, and the server that it is tested with. */
export interface BackendUnderTest {
  /**
   * What the backend promises. `log`: each event once, from any cursor. `replay`: each event once; every reading begins at the first one. `state`: each
   * observed change once. `lossy`: events that come while nobody reads are lost, and a `gap` says so.
   */
  promises: 'log' | 'replay' | 'state' | 'lossy'
  /** Makes a client with the backend: `createClient({ backend, url, token, retry: { baseMs: 10 } })`. The suite closes it. */
  client(options: { url: string; token?: () => string }): FollowingClient
  /** Starts a server. The suite puts a proxy in front of it, to make the network fail, and closes both after each test. */
  serve(): Promise<{ url: string; job(): ServedJob | Promise<ServedJob>; close(): void | Promise<void> }>
  /** Which step an event belongs to; `undefined` for an event of no step. */
  stepOf(event: SeenEvent): number | undefined
  /**
   * Whether the backend notices a silent connection, by a single read or by missing heartbeats.
   *
   * @defaultValue `true`
   */
  noticesSilence?: boolean
}
