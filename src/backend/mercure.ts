/** Updates of a Mercure hub, of the versions 0.x and 1.0. */

import type { Backend } from '../types.ts'
import { lastEventId, requestOf } from './foreign.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

/** Options of `mercure`: those of `plainSse`, except what the hub defines. */
export interface MercureOptions extends Omit<StreamOptions, 'promises' | 'cursor' | 'heartbeatMs' | 'end'> {
  /**
   * The hub's version: 0 for 0.x, where parameters and headers have other names than in 1.0.
   * @defaultValue 1
   */
  version?: 0 | 1 | undefined
  /**
   * Returns a job's topic.
   * @defaultValue the job id
   */
  topic?: ((job: string) => string) | undefined
  /**
   * The hub's option `heartbeat`, in ms. After 2.5 of these without a byte the connection is replaced.
   * @defaultValue 40,000
   */
  heartbeatMs?: number | undefined
  /**
   * Which update ends the job: one rule, or several. Mercure itself has no end.
   * @defaultValue an update of type `succeeded`, `failed` or `cancelled`, with its data
   */
  end?: StreamOptions['end']
}

/** For each version: the parameter of the topic, that of the cursor, and the header with the id after which the answer begins. */
const NAMES = [
  ['topic', 'lastEventID', 'last-event-id'],
  ['match', 'last_event_id', 'mercure-last-event-id']
] as const

/** The cursor before the oldest update that the hub retains. */
const EARLIEST = 'earliest'

/**
 * Follows jobs of a Mercure hub by a topic for each job. `url` is the hub's, such as `/.well-known/mercure`. Promises `log`, as far as the
 * hub's history reaches.
 */
export function mercure({ version = 1, topic = (job) => job, heartbeatMs = 40_000, request, ...options }: MercureOptions = {}): Backend {
  const [match, parameter, header] = NAMES[version]
  const stream = sse(({ cursor, response, take, lose }) => {
    const from = response.headers.get(header)
    // A page cannot read this header across origins: it is null there.
    if (cursor !== undefined && from !== null && from !== lastEventId(cursor)) lose()
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
        const given = requestOf(request ? await request(job, asked) : base, base)
        if (!request) given.url.searchParams.set(match, topic(job))
        if (cursor !== undefined) given.url.searchParams.set(parameter, cursor)
        return given
      }
    },
    [stream]
  )
}
