/** The status document beside a stream: the end that the stream does not tell, or the whole job where there is no stream. */

import { isHidden, untilSeen } from '../page.ts'
import { type ErrorControl, isControl } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Batch, JobCursor, OpenRequest } from '../types.ts'
import { LEAST_HIDDEN_MS, readDocument } from './document.ts'
import type { JobEventTuple } from './message.ts'
import type { StreamDetails } from './stream-options.ts'
import type { StreamReader } from './stream-reader.ts'

/** The pause between two reads of the document, where there is no stream. */
const DOCUMENT_MS = 2000

/** Emits what the document says: the end, or `waiting`, once. Returns whether it says either. */
export async function emitFromDocument(request: OpenRequest, asked: JobCursor, options: StreamDetails, reader: StreamReader): Promise<ErrorControl | boolean> {
  const said = options.status && (await endFromDocument(request, asked, options))
  if (!said) return false
  if (isControl(said)) return said
  if (isTerminal(said[0])) reader.emit(options.settle?.(said, reader.last) ?? said)
  else reader.emitOnce(said)
  return true
}

/** Polls the document until it ends the job, where there is no stream to read. */
export async function* pollDocument(
  request: OpenRequest,
  asked: JobCursor,
  options: StreamDetails,
  reader: StreamReader,
  isReadOnce: boolean
): AsyncGenerator<Batch, void> {
  for (;;) {
    const said = await emitFromDocument(request, asked, options, reader)
    if (typeof said === 'object') return yield [said]
    yield reader.frames()
    if (reader.isOver || isReadOnce) return
    await untilSeen(isHidden() ? LEAST_HIDDEN_MS : DOCUMENT_MS, request.signal)
  }
}

/** The document's end, or its `waiting`. */
export async function endFromDocument(
  request: OpenRequest,
  { job, epoch }: JobCursor,
  { status = {} }: StreamDetails
): Promise<JobEventTuple | ErrorControl | undefined> {
  const look = await readDocument(request, job, status, epoch === undefined)
  if (isControl(look)) return look
  const end = look.parts.find(({ type }) => isTerminal(type) || type === 'waiting')
  return end && [end.type, end.data]
}
