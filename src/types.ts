/** The public types. Each member states its promise here, once; docs/API.md and the generated reference are made from it. */

export type { FailureReason } from './errors.ts'
export type { Events, JobEvent, StandardEvents } from './protocol/events.ts'
export type { Control, Frame, JobSnapshot, JobStatus, ProgressData, WireEvent } from './protocol/frames.ts'
export type { Backend, JobStorage, Memory, Promises } from './types/backend.ts'
export type { Client, StartOptions, SubscribeOptions, Subscription } from './types/client.ts'
export type { Diagnostic, DiagnosticDetail, Observation, WaitReason } from './types/diagnostics.ts'
export type { Job, JobList, JobOptions, KnownJob } from './types/job.ts'
export type { ClientOptions, RetryOptions } from './types/options.ts'
export type { Gap, Mode, Position, Reader, Share, ShareHost } from './types/reader.ts'
export type { ConnectionPhase, ConnectionProblem, ConnectionState, JobState, Result } from './types/state.ts'
export type { Availability, Batch, Environment, JobCursor, Link, OpenRequest, RequestContext, Transport, TransportTraits } from './types/transport.ts'
