/** JSON readings, one after the other (PROTOCOL.md §3). */

import { macrotask, now } from '../async/clock.ts'
import { child } from '../async/signals.ts'
import { isTransportError, TransportError } from '../errors.ts'
import { isHidden, untilSeen } from '../page.ts'
import { isControl } from '../protocol/frames.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { answerOf } from './batches.ts'
import { JSON_TYPE, overLists, readEvents } from './lists.ts'

const DEFAULT_POLL_MS = 2000
/** The longest that a server holds a request. */
const MAX_WAIT_S = 55
/** A path that cuts requests shorter than this is no path for long polls. The first wait is this one, each further one twice as long: what swallows them is soon noticed. */
const MIN_WAIT_S = 2
/** How late an answer may be, beside what answers take here, that the server was to hold no longer. */
const GRACE_MS = 2500
/** A timer that is so late has been throttled, or the machine has slept. */
const LATE_MS = 1000

type Mode = 'long-poll' | 'short-poll'

/** Requests that the server holds until there is an event. The first isn't held: its answer is the proof that the path delivers. */
export const longPoll = (): Transport => poll('long-poll')

/** Requests that are answered at once, with the pause between them that the server asks for. */
export const shortPoll = (): Transport => poll('short-poll')

const poll = (name: Mode): Transport => ({
  name,
  traits: { polls: name === 'long-poll' ? 'long' : 'short' },
  isSupported: () => true,
  open: overLists((request) => read(request, name))
})

async function* read(request: OpenRequest, mode: Mode): AsyncGenerator<Batch, void> {
  const { signal } = request
  let jobs: readonly Asked[] = request.jobs
  let waitS = 0
  let nextS = MIN_WAIT_S
  let limitS = MAX_WAIT_S
  /** How long the last answer took that was not held; the first is waited for by whoever has opened this. */
  let tookMs: number | undefined
  while (jobs.length > 0) {
    const askedAt = now()
    const held = child(signal)
    let timer: ReturnType<typeof setTimeout> | undefined
    const expect = (ms: number, isLast = false): void => {
      const dueAt = now() + ms
      timer = setTimeout(() => {
        // After a sleep, or in a page held up, the answer may be waiting behind this timer; in a hidden page all are late: there the second counts.
        if (now() > dueAt + LATE_MS && !isLast) expect(GRACE_MS, isHidden())
        else held.abort(new TransportError('silent', `no answer after a wait of ${waitS} s`))
      }, ms)
    }
    if (tookMs !== undefined) expect(waitS * 1000 + GRACE_MS + 4 * tookMs)
    try {
      const answer = await readEvents({ ...request, signal: held.signal }, jobs, { via: mode, accept: JSON_TYPE, waitS })
      if (isControl(answer)) return yield [answer]
      const { hello, frames, more, next } = yield* answerOf(answer, () => clearTimeout(timer))
      jobs = next

      const { heartbeatMs = 15_000, pollMs = DEFAULT_POLL_MS } = hello
      // An empty answer long before its time: whoever ignores `wait` is asked as by a short poll.
      if (!waitS) tookMs = now() - askedAt
      const isIgnored = frames.every(isControl) && now() - askedAt < waitS * 500
      waitS = 0
      // A reader that is full now lets go within this task.
      if (more) await macrotask()
      if (more || jobs.length === 0) continue
      if (mode === 'long-poll') {
        waitS = Math.min(Math.ceil(heartbeatMs / 1000), limitS, nextS)
        nextS = 2 * waitS
      }
      // Never so long a pause that the silence looks like a death; and no haste where nobody looks.
      if (isIgnored || !waitS) await untilSeen(isHidden() ? heartbeatMs : Math.min(pollMs, heartbeatMs), signal)
    } catch (failure) {
      signal.throwIfAborted()
      limitS = waitS = Math.floor(waitS / 2)
      if (waitS < MIN_WAIT_S || !isImpatience(failure)) throw failure
    } finally {
      clearTimeout(timer)
      held.release()
    }
  }
}

/** What happens to a request that somebody in between found too long. */
const isImpatience = (failure: unknown): boolean =>
  isTransportError(failure) && (['network', 'cut', 'silent'].includes(failure.reason) || failure.status === 408 || failure.status === 504)
