import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ProgressData, WireEvent } from '../protocol/frames.ts'
import type { Health } from './health.ts'
import type { AppendOptions, EventLog } from './log/types.ts'
import type { ServerMetrics } from './metrics.ts'

/** A request of `node:http`, `node:https` or `node:http2`. */
export type NodeRequest = IncomingMessage | Http2ServerRequest
/** A response of `node:http`, `node:https` or `node:http2`. */
export type NodeResponse = ServerResponse | Http2ServerResponse

/**
 * Serves jobs over every reading of PROTOCOL.md: WebSocket, server-sent events, long poll, short poll, NDJSON. It listens on nothing by itself.
 * All functions are bound, so that they can be passed on as they are.
 */
export interface JobServer {
  /**
   * Answers requests and WebSocket handshakes below `basePath` on a Node server. The listeners that the server has at the time of the call get the rest, and
   * where there are none the rest is answered with 404. Listeners for `request` that are added later are called for every request: attach after them.
   */
  attach(server: HttpServer | HttpsServer | Http2SecureServer): void
  /** Answers one request of Node, Express, Connect or Fastify (`request.raw`, `reply.raw`). Outside `basePath` it calls `next`, or answers 404 without one. */
  handle(req: NodeRequest, res: NodeResponse, next?: () => void): void
  /**
   * Takes one WebSocket handshake: a listener for a Node server's `upgrade` event. Outside `basePath` it calls `next`. Without `next` it leaves the handshake
   * to the server's other `upgrade` listeners, and answers 404 where there are none.
   */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void): void
  /**
   * Answers one request of the Fetch standard: for Hono, Next.js, Bun, Deno. Everything but WebSocket. Never rejects: errors are responses.
   *
   * `authorize` gets `context` as `source.context`. `context.waitUntil`, which serverless platforms have, is called with the job that the request starts.
   */
  fetch(request: Request, context?: unknown): Promise<Response>
  /**
   * Appends an event, and creates the job with its first one. Resolves once the log has the event. Missing `data` is `null`.
   *
   * With `options.lease` the job ends as `lost` unless the lease is renewed in time, by a later event or by `log.renew`.
   *
   * @throws {LogError} `ended` after a terminal event; `conflict` where `expectSeq` or `lease` isn't met; `unavailable` while the log can't be reached;
   * `closed` after `close()`.
   * @throws {TypeError} for a malformed job id, event type or option, and for data that JSON can't carry.
   * @throws {RangeError} for data of more than `maxEventBytes`.
   */
  publish(jobId: string, type: string, data?: unknown, options?: AppendOptions): Promise<WireEvent>
  /**
   * Runs `work` as a job. The log gets `queued`, `started`, whatever `work` publishes, then `succeeded` with its result, `failed`, or `cancelled`. A job that
   * waits under `maxRunning` gets `queued` again as its `position` changes: at most once a second, and further back than the tenth place each time that it
   * has made half of the way.
   *
   * Inside the work of another job of this server, the job takes the place of that one, which isn't counted under `maxRunning` meanwhile: await it.
   *
   * Resolves with the result of `work`, and rejects with what `work` throws. Rejects with the reason of `job.signal` (an error named `AbortError`) where the
   * job was cancelled, ran for longer than `timeoutMs`, lost its lease, or was stopped by `close()`. While the log can't be reached, events wait for it.
   *
   * @throws {LogError} `conflict` where the job has started or another owner has its lease; `busy` where `maxQueued` jobs wait; `closed` after `close()`.
   */
  run<T>(jobId: string, work: (job: JobContext) => T | Promise<T>): Promise<T>
  /** The server's log. What is appended through it counts in `metrics()`. `close()` closes it. */
  readonly log: EventLog
  /** What the server has done since it was made, and does now: a copy. `prometheusText` formats it for Prometheus. */
  metrics(): ServerMetrics
  /**
   * Whether this server should get requests: for a load balancer's check. Asks the log, and reports `failing` where no answer comes within `timeoutMs`
   * (default 2000 ms). Never rejects.
   */
  health(options?: { timeoutMs?: number }): Promise<Health>
  /**
   * Shuts down in three steps. Resolves once the log is closed; later calls return the first one's promise.
   *
   * 1. Refuses new jobs, ends waiting ones, and lets running ones end for `drainMs` (default 0 ms). Readers go on meanwhile,
   *    and have half of `graceMs`, at most 2500 ms, to read the ends.
   * 2. Aborts the jobs that still run. They end `failed {code: 'shutdown', retryable: true}`, unless they return a result. Says `bye` to every reader.
   * 3. Destroys the connections that are still open after `graceMs` (default 5000 ms), and waits for jobs no longer.
   *
   * @throws {RangeError} where `graceMs` or `drainMs` is not a number from 0. `Infinity` waits without a limit.
   */
  close(options?: { graceMs?: number; drainMs?: number }): Promise<void>
}

/** A `JobServer` without the functions that take Node's own requests and sockets. */
export type FetchJobServer = Omit<JobServer, 'attach' | 'handle' | 'upgrade'>

/** What serverless platforms pass beside a request. */
export interface FetchContext {
  /** Keeps the process, or the request's context, alive until the promise has settled. */
  waitUntil?(promise: Promise<unknown>): void
}

/**
 * What `work` and `start` get: the running job's writer and its abort signal.
 *
 * Events are appended in the order of the calls, awaited or not. Calls in quick succession are appended together. Each promise resolves once the log has the
 * event, but for one case: while the log can't be reached, `progress` and `log` resolve at once. The latest progress and up to 8 MiB of lines are appended when
 * the log is back; `output` and `publish` wait for that, or until the job is aborted.
 *
 * All four reject with a `TypeError` for a malformed type or data that JSON can't carry, with a `RangeError` for more than `maxEventBytes` or more than 32 MiB
 * of events that wait for the log, and with a `LogError` where the log refuses, as after the job has ended.
 */
export interface JobContext {
  /** The job's id. */
  readonly id: string
  /** 1 for the first run, then +1 for each rerun (`onLost: 'rerun'`). */
  readonly attempt: number
  /**
   * Aborted where somebody cancels the job, `timeoutMs` is over, the lease is lost, or the server closes; its reason is an error named `AbortError`. What its
   * listeners throw goes to `onError`.
   */
  readonly signal: AbortSignal
  /** Appends `progress`. A number up to 1 is a ratio, a larger one a percentage. */
  progress(progress: ProgressData | number): Promise<void>
  /** Appends a `log` line. Default level: `info`. */
  log(message: string, level?: string): Promise<void>
  /** Appends `output`, a partial result. */
  output(chunk: unknown): Promise<void>
  /** Appends an event of any type. */
  publish(type: string, data: unknown): Promise<void>
}
