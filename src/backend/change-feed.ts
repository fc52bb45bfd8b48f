/** A server's live stream beside a status document: each message means that the document may have changed. */

import { delay } from '../async/signals.ts'
import { isControl } from '../protocol/frames.ts'
import type { RequestContext } from '../types.ts'
import { type RequestHook, sendRequest } from './foreign.ts'
import { sse } from './sse.ts'

/** Tells when a document has to be read again. */
export interface ChangeFeed {
  /** Records that a read of the document begins. */
  reading(): void
  /** Resolves at the next change, or at once where one has come since the last read began. `hasNews`: that read has shown something new. */
  next(hasNews: boolean): Promise<void>
}

/** The least time between a change and the next read, in ms, so that a stream of many messages does not cause as many reads. */
const LEAST_MS = 100

/** Reads a job's live stream to its end, and calls back at each message. */
async function listen(context: RequestContext, job: string, requestHook: RequestHook, onMessage: () => void): Promise<void> {
  const answer = await sendRequest(context, await requestHook(job, { base: context.base }), undefined, { accept: 'text/event-stream' })
  if (isControl(answer)) return
  const { feed } = sse().split({ cursor: undefined, isTail: true, response: answer.response, take: onMessage, left: () => 0, lose() {}, restart() {} })
  for await (const chunk of answer.chunks) feed(chunk)
}

/** Makes a feed of the live stream of this request. Its end counts as a change too. Where the server has no such stream, there are no changes. */
export const changeFeedBy =
  (requestHook: RequestHook) =>
  (context: RequestContext, job: string): ChangeFeed => {
    let isListening = false
    let isDue = false
    let wasDue = false
    let hasFailed = false
    let wake = (): void => {}

    async function follow(): Promise<void> {
      isListening = true
      let hasMessage = false
      const due = (): void => {
        hasMessage = isDue = true
        wake()
      }
      await listen(context, job, requestHook, due).catch(() => {}) // without the stream, the document is polled all the same
      isListening = false
      // A change before the stream was open was not told, so its end counts as one. A stream that keeps failing has nothing to tell.
      const isNews = hasMessage || !hasFailed
      hasFailed = !hasMessage
      if (isNews) due()
    }

    return {
      reading() {
        wasDue = isDue
        isDue = false
      },
      next(hasNews) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        // A stream that ends as soon as it is open is requested again after the usual pause, not at once.
        if (!isListening && (hasNews || !wasDue)) void follow()
        if (isDue) resolve()
        return promise.then(() => delay(LEAST_MS, context.signal)).catch(() => {}) // the caller's own wait has the signal too
      }
    }
  }
