/** Updates of a Mercure hub, 0.x and 1.0. */

import type { Backend } from '../types.ts'
import { wordedOf } from './foreign.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

export interface MercureOptions extends Omit<StreamOptions, 'promises' | 'cursor' | 'heartbeatMs' | 'end'> {
  /** What the hub speaks: parameters and headers have other names in 0.x. @defaultValue 1 */
  version?: 0 | 1 | undefined
  /** The topic of a job. @defaultValue the id itself */
  topic?: ((job: string) => string) | undefined
  /** How often the hub says something, in ms: its option `heartbeat`. @defaultValue 40,000 */
  heartbeatMs?: number | undefined
  /** Mercure has no end: which updates are one. @defaultValue those of the types `succeeded`, `failed` and `cancelled`, with their data */
  end?: StreamOptions['end']
}

/** By version: the parameter of the topic, that of the cursor, and the header that says where the answer begins. */
const NAMES = [
  ['topic', 'lastEventID', 'last-event-id'],
  ['match', 'last_event_id', 'mercure-last-event-id']
] as const

/** All that the hub has kept. */
const EARLIEST = 'earliest'

/** Follows the updates of one topic, at the hub `url`, such as `/.well-known/mercure`. Promises `log`, for what the hub's history keeps. */
export function mercure({ version = 1, topic = (job) => job, heartbeatMs = 40_000, request, ...options }: MercureOptions = {}): Backend {
  const [match, parameter, header] = NAMES[version]
  const stream = sse(({ cursor, response, take, lose }) => {
    const from = response.headers.get(header)
    // Across origins it can't be read, and is null.
    if (cursor !== undefined && from !== null && from !== cursor) lose()
    return take
  })
  return streamBackend(
    {
      end: ({ type, data }) => (type === 'succeeded' || type === 'failed' || type === 'cancelled' ? [type, data] : undefined),
      ...options,
      heartbeatMs,
      cursor: 'none',
      async request(job, asked) {
        const { base, isTail, cursor = isTail ? undefined : EARLIEST } = asked
        const worded = wordedOf(request ? await request(job, asked) : base, base)
        if (!request) worded.url.searchParams.set(match, topic(job))
        if (cursor !== undefined) worded.url.searchParams.set(parameter, cursor)
        return worded
      }
    },
    [stream]
  )
}
