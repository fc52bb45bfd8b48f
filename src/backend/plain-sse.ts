/** Anybody's event stream. */

import type { Backend } from '../types.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

/** Follows jobs by an event stream (WHATWG HTML §9.2) of any server: read by fetch, so with headers and POST, to the end that `end` knows. */
export const plainSse = (options: StreamOptions = {}): Backend => streamBackend(options, [sse()])
