/** A live stream of NDJSON over `fetch` (PROTOCOL.md §3), for paths that spoil `text/event-stream` only. */

import { TransportError } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { createCursors } from './cursors.ts'
import { linesOf, NDJSON } from './lines.ts'
import { readEvents, splitOverLists } from './lists.ts'

/**
 * A stream of one frame a line. Some proxies and scanners hold back `text/event-stream` alone, and let this pass. It is none of the default
 * transports: `transports: [webSocket(), sse(), ndjson(), longPoll(), shortPoll()]`.
 */
export const ndjson = (): Transport => ({ name: 'ndjson', isSupported: () => true, open: splitOverLists(read) })

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  const base = new URL(request.base)
  base.searchParams.append('live', '1')
  const answer = await readEvents({ ...request, base }, request.jobs, { via: 'ndjson', accept: NDJSON })
  if (isControl(answer)) return yield [answer]
  yield [] // the connection is open; no frame proves it yet
  const cursors = createCursors(request.jobs)
  yield* linesOf(answer, cursors)
  if (cursors.isMore !== undefined) throw new TransportError('protocol', 'expected a stream of NDJSON, got a single read: the server does not know ?live=1')
}
