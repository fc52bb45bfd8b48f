import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ProgressData, WireEvent } from '../protocol/frames.ts'
import type { Health } from './health.ts'
import type { SharedLog } from './log/shared.ts'
import type { AppendOptions, EventLog } from './log/types.ts'
import type { ServerMetrics } from './metrics.ts'

export type NodeRequest = IncomingMessage | Http2ServerRequest
export type NodeResponse = ServerResponse | Http2ServerResponse

/** Serves jobs over all readings of the protocol. Its functions are bound. */
export interface JobServer {
  /** Answers under `basePath`, before the listeners that the server has already; elsewhere they do, or a 404. */
  attach(server: HttpServer | HttpsServer | Http2SecureServer): void
  /** For Node, Express, Connect, Fastify (raw): calls `next`, else answers 404, outside `basePath`. */
  handle(req: NodeRequest, res: NodeResponse, next?: () => void): void
  /** For a Node server's `upgrade` event: WebSocket. Outside `basePath` calls `next`, else leaves it to the server's other listeners, else answers 404. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void): void
  /**
   * For Hono, Next, Bun, Deno: everything but WebSocket. `context` is passed to `authorize`, as `source.context`; where it has a `waitUntil`, as a serverless
   * platform's has, that is told of the work that the request starts.
   */
  fetch(request: Request, context?: unknown): Promise<Response>
  /** Appends an event, creating the job with its first one. Rejects after a terminal event, and for what is not an event. With a `lease` the job ends as lost where it is not renewed, by the next event or `log.renew`. */
  publish(jobId: string, type: string, data?: unknown, options?: AppendOptions): Promise<WireEvent>
  /**
   * Runs work as a job: `queued`, `started`, what `work` publishes, then `succeeded` with its result, `failed`, or `cancelled`. Settles as `work` does; rejects
   * after a cancel, at its `timeoutMs`, where its lease is lost, and with a `LogError` where it can't begin (`conflict`, `busy`, `closed`). A log that is out of
   * reach fails nothing: what is appended meanwhile is appended when it is back.
   */
  run<T>(jobId: string, work: (job: JobContext) => T | Promise<T>): Promise<T>
  /** Its log: what is appended through it is counted, and told to who follows. Closed with the server. */
  readonly log: EventLog
  /** What it has done so far and does now, for `prometheusText` or for whatever else. */
  metrics(): ServerMetrics
  /** Whether it can serve: asks its log for an answer within `timeoutMs` (default 2000). Never rejects. */
  health(options?: { timeoutMs?: number }): Promise<Health>
  /**
   * Starts nothing any more, and lets running jobs end for `drainMs` (default 0), while they can still be followed. Then aborts them (`failed` with code
   * `shutdown`, unless they still return a result), says `bye` to all readers, and closes the log; what is not over after `graceMs` (default 5000) is cut.
   */
  close(options?: { graceMs?: number; drainMs?: number }): Promise<void>
}

/** A server without what takes Node's own sockets. */
export type FetchJobServer = Omit<JobServer, 'attach' | 'handle' | 'upgrade'>

/** What serverless platforms pass beside a request. */
export interface FetchContext {
  /** Keeps the platform from ending the process, or the request's context, before the promise has settled. */
  waitUntil?(promise: Promise<unknown>): void
}

/**
 * A running job's end of its log. Events are appended in the order of the calls, awaited or not, several at once where they come in quick succession. While
 * the log is out of reach, `progress` and `log` don't wait for it, the latest progress and a bounded number of lines are appended when it is back; the others
 * wait, until the job is aborted.
 */
export interface JobContext {
  readonly id: string
  /** 1 for the first; more where the job is run again (`onLost: 'rerun'`). */
  readonly attempt: number
  /** Aborted when somebody cancels the job, its time is over, its lease is lost, or the server closes. What its listeners throw goes to `onError`. */
  readonly signal: AbortSignal
  /** A bare number up to 1 is a ratio, a larger one a percentage. */
  progress(progress: ProgressData | number): Promise<void>
  /** Default level `info`. */
  log(message: string, level?: string): Promise<void>
  /** A partial result. */
  output(chunk: unknown): Promise<void>
  publish(type: string, data: unknown): Promise<void>
}

/** `connect`: a socket that names no job yet; each that it subscribes is asked for as `read`. */
export type Action = 'connect' | 'read' | 'start' | 'cancel'

/** What is known of who asks beside the request. */
export interface Source {
  /** The Node request with what stands in front has left on it, as `req.user` or `req.session`; of a socket, its handshake. */
  node?: NodeRequest
  /** Of the socket: behind a reverse proxy, the proxy's. */
  address?: string
  /** What `fetch` was given beside the request. */
  context?: unknown
}

/**
 * `true`, or `{ allow: true }`, permits. `false`, or nothing, is 401 without credentials (Authorization, Cookie) and 403 with them.
 * What is none of these permits nothing: a 500, and a `TypeError` for `onError`.
 */
export type Permission =
  | boolean
  | null
  | undefined
  | { status: 401 | 403 }
  | {
      allow: true
      /** Who asks: the scope of Idempotency-Key. Without it a start with such a key is refused. */
      subject?: string
      /** Ms since 1970: readings still open then get `bye` `auth`. Default: never. */
      expiresAt?: number
    }

export interface Question {
  /** Without a body to read. */
  request: Request
  action: Action
  /** Absent: of no job, as in `connect` and `start`. */
  jobId?: string
  source: Source
}

/** Asked at every request, and at every subscribe of a socket. A throw is a 500 without its message. */
export type Authorize = (question: Question) => Permission | Promise<Permission>

export interface JobServerOptions {
  /** Default `'/jobs'`. */
  basePath?: string
  /** Default `memoryLog()`. Closed with the server. */
  log?: EventLog
  /** What `POST {base}` runs, with the request's JSON. Without it nothing can be started over HTTP. */
  start?: (job: JobContext, input: unknown) => unknown
  /**
   * The id of a job that is started over HTTP, made of a unique `id`, of letters, digits, `-` and `_`, and of the `subject` that `authorize` has named: with the owner in it, as in
   * ``({ id, subject }) => `${subject}.${id}` ``, `authorize` knows at any node whose job it is asked for. Equal arguments give equal ids, so that a repeat by
   * `Idempotency-Key` finds its job. What lacks `id`, or is no job id, is a 500. Default: `id` by itself.
   */
  idOf?: (about: { id: string; subject: string | undefined }) => string
  /** Default: everybody may do everything, which is said once on the console where there is a `start`. */
  authorize?: Authorize
  /** Other origins whose pages may connect (WebSocket, POST) and read (CORS). Default: none but the request's own. */
  origins?: '*' | readonly string[] | ((origin: string) => boolean)
  /** The names by which pages may reach this server: `'app.example'`, `'.app.example'` (it and those below), `'*.app.example'` (those below). Besides: localhost and IP addresses. Default: any. */
  hosts?: readonly string[]
  /** Takes the own host from `Forwarded` or `X-Forwarded-Host`, where a proxy in front sets one of them. Default false: from `Host`. */
  trustForwardedHost?: boolean
  /** Lets pages of these other origins send cookies. Default false. */
  allowCredentials?: boolean
  /** Default 15,000. */
  heartbeatMs?: number
  /** How long a short poller is asked to pause. Default 2000. */
  shortPollPauseMs?: number
  /** Jobs per connection. Default 128. */
  maxJobsPerConnection?: number
  /** Readings open at once, of all kinds: beyond it, 503. Default 10,000. */
  maxReaders?: number
  /** The same from one address: beyond it, 429. Default: no limit, since behind a reverse proxy all come from one. */
  maxReadersPerAddress?: number
  /** Held unsent for one connection: beyond it, the log is not read for it, and where it stays so, `bye` `slow`. Default 1 MiB. */
  maxBufferedBytes?: number
  /** Of a POST. Default 1 MiB. */
  maxBodyBytes?: number
  /** How long the body of a POST may take to come: beyond it, 408. Default 30,000. */
  bodyTimeoutMs?: number
  /** Readings older than this get `bye` `max-age`. Default: no limit. */
  maxConnectionAgeMs?: number
  /** Writes frames and chunks past `ws` and `http`, made once for all readers; `false` where something has to see what passes through those. Default true. */
  fastPath?: boolean
  /**
   * Whoever runs a job says so each third of this time. Where nobody has for as long (and 3 s), the job ends `failed {code: 'lost', retryable: true}`, once
   * somebody looks at it. Default 30,000.
   */
  leaseMs?: number
  /**
   * What becomes of a job that was started over HTTP and whose lease is over: it ends (`fail`, the default), or it is queued again, and a server with `start`
   * and `rerun` that hears of it runs `start` with the same input. Its effects may then happen twice. A `TypeError` for a log that can't.
   */
  onLost?: 'fail' | 'rerun'
  /** With `onLost: 'rerun'`: how often a job is run at most, the first time included. Default 3. */
  maxAttempts?: number
  /** Jobs that this server runs at once; the rest waits, `queued` with its `position`. Default 100. */
  maxRunning?: number
  /** The same of each `subject` that `authorize` names, of those that were started over HTTP. Default: no limit of its own. */
  maxRunningPerSubject?: number
  /** Jobs that may wait: beyond it a start is refused, 503. Default 10,000. */
  maxQueued?: number
  /** How long a job may run before it is aborted, and ends `failed {code: 'timeout'}`. Default: no limit. */
  timeoutMs?: number
  /** Of one event's data, as JSON in UTF-8: more than that is refused. Default 16 MiB, what one JSON answer has at most. */
  maxEventBytes?: number
  /** Tells readers the message and `code` of whatever work throws. Default false: only of a `JobError`. */
  exposeErrors?: boolean
  /** Told of failures that those who ask are not told of: what work throws, with its job's id; of `authorize`, of `origins`, and of the log, whose outages are told once each. Default: `console.error`. */
  onError?: (error: unknown, about?: { jobId?: string }) => void
}

/** The options with their defaults in place. */
export type Settings = Required<Omit<JobServerOptions, 'start' | 'idOf' | 'authorize' | 'hosts' | 'log'>> &
  Pick<JobServerOptions, 'start' | 'idOf' | 'authorize' | 'hosts'> & { log: SharedLog }
