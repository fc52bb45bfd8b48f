/** `jobtail/server`: serves jobs over WebSocket, server-sent events, long poll and short poll, on Node. */

export type { JobSnapshot, ProgressData, WireEvent as JobEvent } from '../protocol/frames.ts'
export type { Health } from './health.ts'
export { JobError, type JobErrorOptions } from './job-error.ts'
export { createJobServer } from './job-server.ts'
export { memoryLog } from './log/memory.ts'
export type { MemoryLogOptions } from './log/memory-options.ts'
export { type Adopted, type AppendOptions, type Entry, type EventLog, LEASE_IS_OVER, LogError, type LogErrorCode, type LogPage } from './log/types.ts'
export { wrapLog } from './log/wrap.ts'
export type { ConnectionKind, ServerMetrics } from './metrics.ts'
export { prometheusText } from './prometheus.ts'
export type { Action, Authorize, JobContext, JobServer, JobServerOptions, NodeRequest, NodeResponse, Permission, Question, Source } from './types.ts'
