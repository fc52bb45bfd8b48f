/** JSON readings, one after the other (PROTOCOL.md §3). */

import { delay } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { type Answer, parseAnswer } from '../protocol/parse.ts'
import type { Link, OpenRequest, Transport } from '../types.ts'
import { ask, chunksOf, errorIn, type Question } from './http.ts'
import { framesFrom } from './link.ts'

const MAX_ANSWER_CHARS = 2 ** 26
const DEFAULT_POLL_MS = 2000
/** An answer is missed when it is this much later than it had to be. */
const GRACE_MS = 10_000
/** A path that cuts requests shorter than this is no path for long polls. */
const MIN_WAIT_S = 2

/** How long the server may hold the request after this answer; nothing: there is none. */
type Pace = (answer: Answer) => number | undefined

/** Requests that the server holds until there is an event. The first isn't held: its answer is the proof that the path delivers. */
export const longPoll = (): Transport => poll('long-poll', ({ heartbeatMs }) => Math.min(Math.max(Math.floor(heartbeatMs / 1000), 1), 55))

/** Requests that are answered at once, with the pause between them that the server asks for. */
export const shortPoll = (): Transport => poll('short-poll', () => 0)

/** What is known now, to its end, and no more. */
export const look = (): Transport => poll('look', () => undefined)

const poll = (via: string, pace: Pace): Transport => ({
  name: via,
  isSupported: () => typeof fetch === 'function',
  open: (request) => openPoll(request, via, pace)
})

function openPoll(request: OpenRequest, via: string, pace: Pace): Link {
  let asked = request.jobs
  /** The asking of each job that an answer has acknowledged. */
  const acknowledged = new Map<string, number>()
  let turn = new AbortController()
  let changed = false

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Frame[], void> {
    signal.addEventListener('abort', () => turn.abort(signal.reason))
    let waitS = 0
    let limitS = Infinity
    while (asked.length > 0) {
      const heldS = changed ? 0 : waitS
      changed = false
      turn = new AbortController()
      const askedAt = performance.now()
      try {
        const answer = yield* exchange(request, { via, accept: 'application/json', jobs: asked, waitS: heldS }, turn)
        if (changed) continue
        if ('control' in answer) return void (yield [answer])
        yield take(answer)

        waitS = 0
        if (answer.more || changed || asked.length === 0) continue
        const nextS = pace(answer)
        if (nextS === undefined) return
        // An empty answer long before its time: whoever ignores `wait` is asked as by a short poll.
        const ignored = answer.frames.every(isControl) && performance.now() - askedAt < heldS * 500
        if (nextS === 0 || ignored) await delay(pauseMs(answer), turn.signal)
        waitS = Math.min(nextS, limitS)
      } catch (failure) {
        turn.abort() // an answer that nobody reads on holds its connection
        signal.throwIfAborted()
        if (changed) continue
        limitS = waitS = Math.floor(heldS / 2)
        if (waitS < MIN_WAIT_S || !isImpatience(failure)) throw failure
      }
    }
  }

  /** Moves each job to where the answer ends; one that has ended or failed is asked for no more. */
  function take({ frames, cursors }: Answer): Frame[] {
    const refs = new Map(asked.filter(({ job, ref }) => acknowledged.get(job) !== ref).map(({ job, ref }) => [job, ref]))
    asked = asked.flatMap((each) => {
      acknowledged.set(each.job, each.ref)
      const after = cursors.get(each.job)
      return after === undefined ? [] : [{ ...each, after }]
    })
    return frames.map((frame) => {
      const ref = isControl(frame) && frame.control === 'subscribed' ? refs.get(frame.job) : undefined
      return ref === undefined ? frame : { ...frame, ref }
    })
  }

  return {
    frames: framesFrom(request.signal, read),
    update(jobs) {
      asked = jobs.map((each) => asked.find(({ job, ref }) => job === each.job && ref === each.ref) ?? each)
      changed = true
      turn.abort()
    }
  }
}

/** One request and its answer, with an empty array for each piece of a body that is longer than one. */
async function* exchange(request: OpenRequest, question: Question, turn: AbortController): AsyncGenerator<readonly Frame[], Answer | ErrorControl> {
  const missed = (): void => turn.abort(new TransportError('silent', `no answer ${GRACE_MS} ms after it was due`))
  const timer = setTimeout(missed, question.waitS * 1000 + GRACE_MS)
  const response = await ask(request, question, turn.signal).finally(() => clearTimeout(timer))
  const error = await errorIn(response, question, turn.signal)
  if (error) return error
  let text = ''
  for await (const chunk of chunksOf(response, turn.signal)) {
    if (text) yield []
    text += chunk
    if (text.length > MAX_ANSWER_CHARS) break
  }
  return parseAnswer(text)
}

/** How a short poll pauses; never so long that the silence looks like a death. */
const pauseMs = ({ pollMs = DEFAULT_POLL_MS, heartbeatMs }: Answer): number => Math.min(pollMs, 2 * heartbeatMs)

/** What happens to a request that somebody in between found too long. */
const isImpatience = (failure: unknown): boolean =>
  failure instanceof TransportError &&
  (failure.reason === 'network' || failure.reason === 'cut' || failure.reason === 'silent' || failure.status === 408 || failure.status === 504)
