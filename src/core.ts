/** jobtail/core: a client with the given transports, and without defaults that take up space. */

import { jobtailBackend } from './backend/jobtail.ts'
import { createClient as createCoreClient } from './client.ts'
import type { CoreOptions } from './settings.ts'
import type { Client } from './types.ts'

export { observe } from './diagnostics.ts'
export { type ErrorCode, isJobtailError, JobFailedError, JobtailError, TransportError } from './errors.ts'
export { initialState, reduceJob } from './reduce.ts'
export type { CoreOptions } from './settings.ts'
export { type Answer, fetchReading, type ReadingOptions } from './transports/http.ts'
export { ndjson } from './transports/ndjson.ts'
export type * from './types.ts'

/**
 * Makes a client with the given transports. Other options have their defaults, except `memory`, which is `false`. It makes no request
 * before a job is followed or started.
 * @throws JobtailError `bad-request` for an invalid option
 */
export const createClient = (options: CoreOptions): Client => createCoreClient({ ...options, backend: options.backend ?? jobtailBackend() })
