/** Event streams of other servers. */

import type { Backend } from '../types.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

/**
 * Follows jobs by the event stream of any server (WHATWG HTML §9.2). It is read with `fetch`, so with headers and POST, until a rule of
 * `end` ends the job.
 */
export const plainSse = (options: StreamOptions = {}): Backend => streamBackend(options, [sse()])
