/** What the suite needs to know of a backend and of a server for it. */

/** An event as a subscription gives it. */
export interface SeenEvent {
  id: string
  seq: number
  type: string
  data: unknown
}

/** Of a client of `jobtail` or `jobtail/core`, what the suite uses. */
export interface FollowingClient {
  /** Follows a job from the event after `after`, until it has ended or `signal` aborts. */
  subscribe(jobId: string, options?: { after?: string; signal?: AbortSignal }): AsyncIterable<SeenEvent>
  /** Closes the client and every subscription of it. */
  close(): void
}

/** A job of the server under test. */
export interface ServedJob {
  id: string
  /** Has the job do its `n`th step, from 1: a server of a state shows it, any other tells it. */
  step(n: number): void | Promise<void>
  /** Ends the job, with success. */
  end(): void | Promise<void>
}

export interface BackendUnderTest {
  promises: 'log' | 'replay' | 'state' | 'lossy'
  /** Makes a client of the backend: `createClient({ backend, url, token, retry: { baseMs: 10 } })`. The suite closes it. */
  client(options: { url: string; token?: () => string }): FollowingClient
  /** Starts a server; the suite puts a proxy of its own before it, by which it makes the network fail. */
  serve(): Promise<{ url: string; job(): ServedJob | Promise<ServedJob>; close(): void | Promise<void> }>
  /** Which step an event tells of; undefined where it is none of the steps. */
  stepOf(event: SeenEvent): number | undefined
  /** Whether silence is noticed, by a read or by missing heartbeats. @defaultValue true */
  noticesSilence?: boolean
}
