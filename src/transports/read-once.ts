/** A single read: what the server knows now, to its end. NDJSON as it arrives, or JSON where a server has no NDJSON (PROTOCOL.md §3). */

import { TransportError } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { readAnswer } from './batches.ts'
import { createCursors } from './cursors.ts'
import { linesOf, NDJSON } from './lines.ts'
import { JSON_TYPE, readEvents, splitOverLists } from './lists.ts'

/** Makes single reads: requests one answer after the other until there is no more, then ends. */
export const readOnce = (): Transport => ({ name: 'read-once', isSupported: () => true, open: splitOverLists(read) })

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  const cursors = createCursors(request.jobs)
  let jobs: readonly Asked[] = request.jobs
  while (jobs.length > 0) {
    const answer = await readEvents(request, jobs, { via: 'read-once', accept: `${NDJSON}, ${JSON_TYPE};q=0.5`, findsRedirects: true })
    if (isControl(answer)) return yield [answer]
    const isLines = answer.response.headers.get('content-type')?.toLowerCase().startsWith(NDJSON)
    yield* (isLines ? linesOf : readAnswer)(answer, cursors)
    if (cursors.isMore === undefined) throw new TransportError('cut', 'the connection ended')
    jobs = cursors.isMore ? cursors.next() : []
  }
}
