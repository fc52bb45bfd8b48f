/** jobtail/core: a client with the transports that it is given, and nothing else. */

import { jobtailBackend } from './backend/jobtail.ts'
import { createClient as createCoreClient } from './client.ts'
import type { CoreOptions } from './settings.ts'
import type { Client } from './types.ts'

export { type ErrorCode, isJobtailError, JobFailedError, JobtailError, TransportError } from './errors.ts'
export type { CoreOptions } from './settings.ts'
export { type Answer, fetchReading, type ReadingOptions } from './transports/http.ts'
export type * from './types.ts'

/** A client with the given transports; the other options have their defaults, but for `memory`: none. Inert until something is followed. */
export const createClient = (options: CoreOptions): Client => createCoreClient({ ...options, backend: options.backend ?? jobtailBackend() })
