/** jobtail/core: a client with the transports that it is given, and nothing else. */

export { createClient } from './client.ts'
export { type ErrorCode, isJobtailError, JobFailedError, JobtailError, TransportError } from './errors.ts'
export type { CoreOptions } from './settings.ts'
export type * from './types.ts'
