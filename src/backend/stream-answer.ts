/** One answer of another server's stream: its request, and the pieces of its body. */

import { child, delay } from '../async/signals.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import type { Answer } from '../transports/http.ts'
import type { JobCursor, OpenRequest } from '../types.ts'
import { addressOf, lastEventId, requestOf, sendRequest } from './foreign.ts'
import type { Splitter, StreamDetails } from './stream-options.ts'

/** Requests the stream. `undefined` for a 204: the stream is over (WHATWG HTML §9.2.3). */
export async function openStream(
  request: OpenRequest,
  { job, epoch, after }: JobCursor,
  options: StreamDetails,
  splitter: Splitter,
  from: string | undefined,
  last: Response | undefined
): Promise<Answer | ErrorControl | undefined> {
  const { request: own = (id, { base }) => addressOf(id, base), cursor = 'header' } = options
  const { request: requestHook = own, accept, adapt, connect } = splitter
  const { fetch } = request
  const adapted = { ...request, ...(adapt && { fetch: async (...args: Parameters<typeof fetch>) => adapt(await fetch.call(undefined, ...args)) }) }
  const given = requestOf(await requestHook(job, { base: request.base, cursor: from, isTail: after === TAIL, last }), request.base)
  if (from !== undefined && typeof cursor === 'object') given.url.searchParams.set(cursor.parameter, from)
  if (connect) return connect(request, given.url)
  const headers = from !== undefined && cursor === 'header' ? { 'last-event-id': lastEventId(from) } : {}
  return sendRequest(adapted, given, job, { ...(accept && { accept }), headers, isKnown: epoch !== undefined }).catch((error) => {
    if (error.status === 204) return undefined
    throw error
  })
}

/** Yields the pieces of a body, and `undefined` whenever none has come for `ms`. */
export async function* withPauses({ chunks }: Answer, ms: number, signal: AbortSignal): AsyncGenerator<string | undefined, void> {
  try {
    for (let next: ReturnType<typeof chunks.next> | undefined; ; ) {
      next ??= chunks.next()
      const quiet = child(signal)
      const item = await Promise.race([next, delay(ms, quiet.signal).then(() => undefined)]).finally(() => {
        quiet.release()
        quiet.abort()
      })
      if (item?.done) return
      if (item) next = undefined
      yield item?.value
    }
  } finally {
    chunks.return().catch(() => {}) // the body may have failed already
  }
}
