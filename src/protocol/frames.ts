/**
 * What travels between a server and a client (PROTOCOL.md §§1, 6): events and controls.
 * Shared by both ends; knows no transport.
 */

/** An event as it stands in the log, before the client gives its `data` a type. */
export interface WireEvent {
  /** The cursor: `[A-Za-z0-9._:~-]{1,128}`, unique in the log. */
  id: string
  /** 1 for the first event of a log, then +1 each. */
  seq: number
  job: string
  type: string
  /** RFC 3339, UTC, the server's clock. */
  time: string
  data: unknown
}

export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** The first frame of every reading: this path delivers. */
export interface Hello {
  control: 'hello'
  protocol: number
  /** Absent, from a backend that promises none: then silence is never a death. Jobtail's own servers always say it. */
  heartbeatMs?: number
  /** How many jobs one connection may carry; absent: one. */
  mux?: number
  /** JSON readings only: how long a short poller should pause. */
  pollMs?: number
}

/** This job is read from here: its next event on this reading has `seq` + 1. */
export interface Subscribed {
  control: 'subscribed'
  job: string
  ref?: number
  epoch: string
  seq: number
  cursor: string
  status: JobStatus
}

/** The terminal event is at or before `cursor`. */
export interface Done {
  control: 'done'
  job: string
  cursor: string
}

/** This job's reading has failed as PROTOCOL.md §7 says; without `job`, all have. */
export interface ErrorControl {
  control: 'error'
  job?: string
  status: number
  code: string
  message: string
  retryAfterMs?: number
}

export type ByeReason = 'shutdown' | 'max-age' | 'slow' | 'auth' | 'window'

/** A planned close: come back after a random time up to `retryMs`, cursors in hand. */
export interface Bye {
  control: 'bye'
  reason: ByeReason | (string & {})
  retryMs: number
}

/** The last line of NDJSON that is read once; without it the body was cut. */
export interface End {
  control: 'end'
  /** There is more: ask again at once, from the cursors. */
  more: boolean
}

export interface Heartbeat {
  control: 'heartbeat' | 'pong'
}

export type Control = Hello | Subscribed | Done | ErrorControl | Bye | End | Heartbeat

export type Frame = WireEvent | Control

export const isControl = <E>(frame: E | Control): frame is Control => 'control' in (frame as object)

/** What a WebSocket client may send. */
export type Operation =
  | { op: 'subscribe'; job: string; after?: string; ref?: number }
  | { op: 'unsubscribe'; job: string }
  | { op: 'ping' }
  /** From now on so many more may be sent. */
  | { op: 'window'; bytes: number }

/** One member of `jobs` in a JSON reading. */
export type ReadingJob =
  | { job: string; epoch: string; seq: number; from: string; cursor: string; status: JobStatus; done: boolean }
  | { job: string; error: Problem }

/** The body of a JSON reading (PROTOCOL.md §3). */
export interface Reading {
  protocol: number
  heartbeatMs: number
  mux?: number
  pollMs?: number
  more: boolean
  jobs: ReadingJob[]
  events: WireEvent[]
}

/** What is wrong with one job's reading (PROTOCOL.md §7): the `error` member of a JSON reading's job. */
export interface Problem {
  status: number
  code: string
  message: string
  retryAfterMs?: number
}

/** The body of `GET {base}/{id}`. */
export interface JobSnapshot {
  id: string
  status: JobStatus
  epoch: string
  seq: number
  cursor: string
  progress?: ProgressData
  result?: unknown
  error?: unknown
  /** A cancel was asked for: the data of `cancelling`. */
  cancelling?: unknown
}

/** `data` of a `progress` event. */
export interface ProgressData {
  /** 0 to 1; absent: indeterminate. */
  ratio?: number
  current?: number
  total?: number
  unit?: string
  stage?: string
  message?: string
}
