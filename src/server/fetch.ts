/** `jobtail/server/fetch`: the server for runtimes that speak the Fetch standard. Imports neither Node's modules nor `ws`, and so serves no WebSocket. */

import { createCore } from './core.ts'
import type { JobServerOptions } from './server-options.ts'
import type { FetchJobServer } from './types.ts'

export type { JobSnapshot, ProgressData, WireEvent as JobEvent } from '../protocol/frames.ts'
export type { Health } from './health.ts'
export { JobError, type JobErrorOptions } from './job-error.ts'
export { memoryLog } from './log/memory.ts'
export type { MemoryLogOptions } from './log/memory-options.ts'
export { type Adopted, type AppendOptions, type Entry, type EventLog, LEASE_IS_OVER, LogError, type LogErrorCode, type LogPage } from './log/types.ts'
export { wrapLog } from './log/wrap.ts'
export type { ServerMetrics } from './metrics.ts'
export type { Action, Authorize, Permission, Question, Source } from './permission.ts'
export { prometheusText } from './prometheus.ts'
export type { JobServerOptions } from './server-options.ts'
export type { FetchContext, FetchJobServer, JobContext } from './types.ts'

/**
 * Makes a server of jobs that answers requests of the Fetch standard. It listens on nothing by itself.
 *
 * ```ts
 * const jobs = createJobServer({ start: render })
 * Bun.serve({ fetch: jobs.fetch }) // or Deno.serve(jobs.fetch)
 * ```
 *
 * @throws {RangeError} for an option out of range, and `TypeError` for an unknown one. The message names the option, what was expected and what came.
 */
export const createJobServer = (options: JobServerOptions = {}): FetchJobServer => createCore(options).server
