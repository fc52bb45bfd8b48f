import type { SharedLog } from './log/shared.ts'
import type { EventLog } from './log/types.ts'
import type { Authorize } from './permission.ts'
import type { JobContext } from './types.ts'

/**
 * Options of `createJobServer`. Each is checked when the server is made; `undefined` is the default. Limits are numbers from 1, and `Infinity` is no limit,
 * where nothing else is said.
 */
export interface JobServerOptions {
  /**
   * The whole path at which clients find the jobs, wherever a router mounts the server.
   *
   * @defaultValue `'/jobs'`
   */
  basePath?: string
  /**
   * Where events are kept. `close()` closes it.
   *
   * @defaultValue `memoryLog()`
   */
  log?: EventLog
  /**
   * What `POST {base}` runs, with the request's body parsed as JSON (`undefined` for an empty body). Its result is the data of `succeeded`.
   *
   * @defaultValue none: `POST {base}` is answered with 405
   */
  start?: (job: JobContext, input: unknown) => unknown
  /**
   * The id of a job that is started over HTTP. It gets a unique `id` of letters, digits, `-` and `_`, and the `subject` that `authorize` has named.
   *
   * With the owner in the id, as in ``({ id, subject }) => `${subject}.${id}` ``, `authorize` knows at any node whose job it is asked for. Equal arguments have
   * to give equal ids, so that a repeat by `Idempotency-Key` finds its job. An answer that lacks `id`, or is no job id, makes the start fail with 500.
   *
   * @defaultValue `id` by itself
   */
  idOf?: (about: { id: string; subject: string | undefined }) => string
  /**
   * Decides who may do what.
   *
   * @defaultValue everybody may do everything; with `start`, the console says so once
   */
  authorize?: Authorize
  /**
   * Other origins whose pages may read (CORS), open WebSockets and `POST`: a list such as `['https://app.example']`, a function of the origin, or `'*'`.
   *
   * @defaultValue none: only pages of the server's own origin
   */
  origins?: '*' | readonly string[] | ((origin: string) => boolean)
  /**
   * The host names by which this server may be reached, without scheme and port; a defence against DNS rebinding. `'app.example'` is that name,
   * `'*.app.example'` every name below it, `'.app.example'` both. Localhost and IP addresses are always accepted. Other names get 403.
   *
   * @defaultValue any
   */
  hosts?: readonly string[]
  /**
   * Reads the server's own host from `Forwarded` (RFC 7239), else from `X-Forwarded-Host`, the first in the list. Only for a server behind a proxy that sets
   * one of them: anybody else could set it too.
   *
   * @defaultValue `false`: from `Host`
   */
  trustForwardedHost?: boolean
  /**
   * Lets pages of the allowed `origins` send cookies. Not together with `origins: '*'`.
   *
   * @defaultValue `false`
   */
  allowCredentials?: boolean
  /**
   * How often a quiet stream or socket gets a heartbeat, in ms, 1 to 2³¹ − 1. Clients give a connection up after 2.5 heartbeats of silence.
   *
   * @defaultValue 15,000
   */
  heartbeatMs?: number
  /**
   * How long clients that short-poll are asked to pause between requests, in ms, 1 to 2³¹ − 1.
   *
   * @defaultValue 2000
   */
  shortPollPauseMs?: number
  /**
   * How many jobs one connection may carry: an integer from 1. A longer list gets 400, a further `subscribe` gets an `error` 429.
   *
   * @defaultValue 128
   */
  maxJobsPerConnection?: number
  /**
   * How many sockets, streams and polls may be open at once. Beyond that requests get 503.
   *
   * @defaultValue 10,000
   */
  maxReaders?: number
  /**
   * How many of them one remote address may have. Beyond that requests get 429.
   *
   * @defaultValue `Infinity`: behind a reverse proxy all requests come from one address
   */
  maxReadersPerAddress?: number
  /**
   * How many bytes may wait unsent for one reader. Beyond that the log isn't read for it. A reader that stays that slow gets `bye` with the reason `slow`.
   *
   * @defaultValue 1 MiB
   */
  maxBufferedBytes?: number
  /**
   * How large the body of a `POST` may be, in bytes. A larger one gets 413.
   *
   * @defaultValue 1 MiB
   */
  maxBodyBytes?: number
  /**
   * How long the body of a `POST` may take to arrive, in ms. A slower one gets 408.
   *
   * @defaultValue 30,000
   */
  bodyTimeoutMs?: number
  /**
   * How long a stream or socket may stay open, in ms. An older one gets `bye` with the reason `max-age`, up to a tenth earlier, and its client reconnects.
   *
   * @defaultValue `Infinity`
   */
  maxConnectionAgeMs?: number
  /**
   * Encodes frames and chunks once for all readers, and writes them to the socket past `http` and `ws`. `false` writes each through `res.write` and `ws.send`:
   * for monitoring agents and byte counters that watch those.
   *
   * @defaultValue `true`
   */
  fastPath?: boolean
  /**
   * How long a running job's lease lasts, in ms, 100 to 2³¹ − 1. The process that runs the job renews it each third of that. Where it was not renewed, whoever
   * reads the job next ends it with `failed {code: 'lost', retryable: true}`, after a grace of 3 s, or of `leaseMs` where that is shorter.
   *
   * @defaultValue 30,000
   */
  leaseMs?: number
  /**
   * What happens to a job that was started over HTTP and has lost its lease. `'fail'` ends it. `'rerun'` queues it again, and the first server with `start`
   * and `onLost: 'rerun'` that hears of it runs `start` with the same input. Its effects may then happen twice. Needs a log that has `adopt`.
   *
   * @defaultValue `'fail'`
   */
  onLost?: 'fail' | 'rerun'
  /**
   * With `onLost: 'rerun'`: how often a job runs at most, the first run included. An integer from 1.
   *
   * @defaultValue 3
   */
  maxAttempts?: number
  /**
   * How many jobs this server runs at once. Others wait, as `queued` with their `position`. A job whose work calls `run` isn't counted until the job inside
   * it has ended: so jobs that wait for others can't take all places.
   *
   * @defaultValue 100
   */
  maxRunning?: number
  /**
   * How many jobs of one `subject` (see `authorize`) this server runs at once, of those started over HTTP and of what these `run`. Jobs of other subjects go
   * first meanwhile.
   *
   * @defaultValue `Infinity`
   */
  maxRunningPerSubject?: number
  /**
   * How many jobs may wait to run. Beyond that a start gets 503 and `run` rejects with `busy`. 0: none waits.
   *
   * @defaultValue 10,000
   */
  maxQueued?: number
  /**
   * How long a job may run, in ms. A longer one is aborted and ends with `failed {code: 'timeout'}`.
   *
   * @defaultValue `Infinity`
   */
  timeoutMs?: number
  /**
   * How large the data of one event may be, in bytes of JSON in UTF-8. `publish` and running jobs get a `RangeError` beyond that.
   *
   * @defaultValue 16 MiB, as much as one JSON answer carries
   */
  maxEventBytes?: number
  /**
   * Shows readers the message and `code` of every error that work throws. Error messages may name hosts, paths and passwords.
   *
   * @defaultValue `false`: readers see only those of a `JobError`
   */
  exposeErrors?: boolean
  /**
   * Gets the errors that clients are not told about: those that work throws, with the id of its job; those of `authorize` and `origins`; those of the log, once
   * for each outage. What `onError` throws itself goes to the console.
   *
   * @defaultValue `console.error`
   */
  onError?: (error: unknown, about?: { jobId?: string }) => void
}

/** The options with their defaults filled in, and the log as all readers of the server share it. */
export type Settings = Required<Omit<JobServerOptions, 'start' | 'idOf' | 'authorize' | 'hosts' | 'log'>> &
  Pick<JobServerOptions, 'start' | 'idOf' | 'authorize' | 'hosts'> & { log: SharedLog }
