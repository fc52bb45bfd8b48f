/** A live stream beside a document: whatever it says, it is time to look. */

import { delay } from '../async/signals.ts'
import { isControl } from '../protocol/frames.ts'
import type { RequestContext } from '../types.ts'
import { ask, type RequestHook } from './foreign.ts'
import { sse } from './sse.ts'

export interface Alarm {
  /** A look begins. */
  looking(): void
  /** Resolves once there is something to be looked at: at once, where something has been said since the last look began. */
  next(hasNews: boolean): Promise<void>
}

/** The least time from what is said to the next look, in ms, however much is said. */
const LEAST_MS = 100

/** Reads a job's live stream to its end, and calls back at each message. */
async function listen(context: RequestContext, job: string, word: RequestHook, onMessage: () => void): Promise<void> {
  const answer = await ask(context, await word(job, { base: context.base }), undefined, { accept: 'text/event-stream' })
  if (isControl(answer)) return
  const { feed } = sse().split({ cursor: undefined, isTail: true, response: answer.response, take: onMessage, left: () => 0, lose() {}, restart() {} })
  for await (const chunk of answer.chunks) feed(chunk)
}

/** Rings at each message of the live stream, and at its end. Where there is none, nothing changes. */
export const alarmBy =
  (word: RequestHook) =>
  (context: RequestContext, job: string): Alarm => {
    let isListening = false
    let isDue = false
    let wasDue = false
    let hasFailed = false
    let ring = (): void => {}

    async function follow(): Promise<void> {
      isListening = true
      let hasSaid = false
      const due = (): void => {
        hasSaid = isDue = true
        ring()
      }
      await listen(context, job, word, due).catch(() => {}) // what is not there, or broke, changes nothing
      isListening = false
      // What came before it was there has not been told; but one that never is there tells nothing.
      const isNews = hasSaid || !hasFailed
      hasFailed = !hasSaid
      if (isNews) due()
    }

    return {
      looking() {
        wasDue = isDue
        isDue = false
      },
      next(hasNews) {
        const { promise, resolve } = Promise.withResolvers<void>()
        ring = resolve
        // One that ends as soon as it has begun is asked for again in the pauses, not at once.
        if (!isListening && (hasNews || !wasDue)) void follow()
        if (isDue) resolve()
        return promise.then(() => delay(LEAST_MS, context.signal)).catch(() => {}) // whoever waits has the signal too
      }
    }
  }
