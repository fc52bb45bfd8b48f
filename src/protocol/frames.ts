/** The frames of the protocol: events and controls (PROTOCOL.md §§1, 6). Client and server share them. They are the same on every transport. */

/** An event before the client gives its `data` a type. */
export interface WireEvent {
  /** The cursor: `[A-Za-z0-9._:~-]{1,128}`, unique in the log. */
  id: string
  /** 1 for the first event of a log, then +1 each. */
  seq: number
  /** The job's id. */
  job: string
  /** 1 to 64 characters of `[A-Za-z0-9._-]`, never `gap`. */
  type: string
  /** The server's clock, in RFC 3339, UTC. */
  time: string
  /** Any JSON value; `null` where the server sent none. */
  data: unknown
}

/** How a job stands. The last three are final. */
export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** The first frame of every reading. It shows that the path delivers. */
export interface Hello {
  control: 'hello'
  /** The version of the protocol: 1. */
  protocol: number
  /**
   * The server sends something at least this often. Absent where a backend's server promises no heartbeat: silence then never counts as a
   * lost connection. Jobtail's own servers always send it.
   */
  heartbeatMs?: number
  /** How many jobs one connection may carry. Absent: one. */
  mux?: number
  /** How long a short poll should pause. Only in JSON readings. */
  pollMs?: number
}

/** The server reads this job from here on: the job's next event on this reading has `seq` + 1. */
export interface Subscribed {
  control: 'subscribed'
  job: string
  /** The `ref` of the request that this answers; absent for the jobs of a URL, and where the server tells its position anew. */
  ref?: number
  /** The log's epoch. */
  epoch: string
  /** The seq of the event at `cursor`; 0 before the first. */
  seq: number
  /** The position that the next event follows. */
  cursor: string
  /** The job's status at the end of its log. */
  status: JobStatus
}

/** The job has ended: its terminal event is at or before `cursor`. */
export interface Done {
  control: 'done'
  job: string
  /** Where the events of this reading ended. */
  cursor: string
}

/** The server refuses to read this job, or all jobs of the reading where `job` is absent (PROTOCOL.md §7). */
export interface ErrorControl {
  control: 'error'
  job?: string
  /** An HTTP status. */
  status: number
  /** A code of PROTOCOL.md §7, such as `unknown-job`. */
  code: string
  /** What is wrong, for a developer. */
  message: string
  /** Ask again no sooner than this. */
  retryAfterMs?: number
}

/** Why a server closes a connection as planned. */
export type ByeReason = 'shutdown' | 'max-age' | 'slow' | 'auth' | 'window'

/** The server closes the connection as planned. The client reconnects from its cursors, after a random time up to `retryMs`. */
export interface Bye {
  control: 'bye'
  reason: ByeReason | (string & {})
  retryMs: number
}

/** The last line of an NDJSON reading. A body without it was cut off. */
export interface End {
  control: 'end'
  /** True: the server has more events. The client asks again at once, from its cursors. */
  more: boolean
}

/** The connection is alive. `pong` answers a `ping`. */
export interface Heartbeat {
  control: 'heartbeat' | 'pong'
}

/** A frame that is not an event. */
export type Control = Hello | Subscribed | Done | ErrorControl | Bye | End | Heartbeat

/** Whatever a server sends in a reading. */
export type Frame = WireEvent | Control

/** Only controls have the field `control`. */
export const isControl = <E>(frame: E | Control): frame is Control => 'control' in (frame as object)

/** A message from a WebSocket client to the server (PROTOCOL.md §5). */
export type Operation =
  | { op: 'subscribe'; job: string; after?: string | undefined; ref?: number }
  | { op: 'unsubscribe'; job: string }
  | { op: 'ping' }
  /** The server may send this many bytes of events more, from now on. */
  | { op: 'window'; bytes: number }

/** A member of `jobs` in the body of a JSON reading: the job's position, or what is wrong with it. */
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

/** What is wrong with the reading of one job (PROTOCOL.md §7). */
export interface Problem {
  status: number
  code: string
  message: string
  retryAfterMs?: number
}

/** A job's current state: the body of `GET {base}/{id}` (PROTOCOL.md §2). */
export interface JobSnapshot {
  /** The job's id. */
  id: string
  /** How the job stands. */
  status: JobStatus
  /** The log's epoch. */
  epoch: string
  /** The seq of the log's last event; 0 where there is none. */
  seq: number
  /** The cursor at the log's end. */
  cursor: string
  /** The data of the latest `progress`. */
  progress?: ProgressData
  /** The data of `succeeded`. */
  result?: unknown
  /** The data of `failed` or `cancelled`. */
  error?: unknown
  /** The data of `cancelling`, where somebody has asked to cancel the job. */
  cancelling?: unknown
}

/** The data of a `progress` event. */
export interface ProgressData {
  /** From 0 to 1. The client computes it from `current` and `total` where the server sends none. Absent: the progress is indeterminate. */
  ratio?: number
  /** How much is done, in `unit`. */
  current?: number
  /** How much there is to do, in `unit`. */
  total?: number
  /** The unit of `current` and `total`, such as `bytes`. */
  unit?: string
  /** The name of the current stage. */
  stage?: string
  /** What is being done, for a person. */
  message?: string
}
