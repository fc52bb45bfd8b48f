/** Long and short polling: JSON readings, one after the other (PROTOCOL.md §3). */

import { macrotask, now } from '../async/clock.ts'
import { child } from '../async/signals.ts'
import { isTransportError, TransportError } from '../errors.ts'
import { isHidden, untilSeen } from '../page.ts'
import { type Frame, type Hello, isControl } from '../protocol/frames.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { readAnswer } from './batches.ts'
import { type Cursors, createCursors } from './cursors.ts'
import { JSON_TYPE, readEvents, splitOverLists } from './lists.ts'

/** The pause of a short poll where the server tells none. */
const DEFAULT_POLL_MS = 2000
/** The heartbeat where the server tells none. */
const DEFAULT_HEARTBEAT_MS = 15_000
/** The longest time that a server holds a request. */
const MAX_WAIT_S = 55
/**
 * A path that cuts requests off within this time does not carry long polls. The first wait is this long and each further one twice as long,
 * so that a path that swallows held requests is noticed soon.
 */
const MIN_WAIT_S = 2
/** How long after its wait an answer may come, in addition to what answers usually need on this path. */
const GRACE_MS = 2500
/** A timer that fires this late was throttled, or the machine has slept. */
const LATE_MS = 1000

type Mode = 'long-poll' | 'short-poll'

/**
 * Long polling: the server holds each request until there is an event. It does not hold the first one, whose answer proves that the path
 * delivers.
 */
export const longPoll = (): Transport => poll('long-poll')

/** Short polling: the server answers each request at once. The pause between two requests is the server's `pollMs`, at most its heartbeat. */
export const shortPoll = (): Transport => poll('short-poll')

const poll = (name: Mode): Transport => ({
  name,
  traits: { polls: name === 'long-poll' ? 'long' : 'short' },
  isSupported: () => true,
  open: splitOverLists((request) => read(request, name))
})

async function* read(request: OpenRequest, mode: Mode): AsyncGenerator<Batch, void> {
  const { signal } = request
  const cursors = createCursors(request.jobs)
  let jobs: readonly Asked[] = request.jobs
  let waitS = 0
  let nextS = MIN_WAIT_S
  let limitS = MAX_WAIT_S
  /** How long the last request took that was not held. The first one is timed by the client's probe. */
  let unheldMs = Infinity
  let heartbeatMs = DEFAULT_HEARTBEAT_MS
  /** When an answer brought events last, or was to a fresh request. */
  let newsAt = now()
  while (jobs.length > 0) {
    const requestedAt = now()
    // A cache may repeat the same empty answer for ever. Beside what is held there are single reads, which notice that.
    const isFresh = request.isFresh || (!waitS && requestedAt - newsAt > heartbeatMs)
    if (isFresh) newsAt = requestedAt
    try {
      let frames: Batch = []
      for await (frames of readOne({ ...request, isFresh }, jobs, mode, waitS, waitS * 1000 + GRACE_MS + 4 * unheldMs, cursors)) yield frames
      const [hello] = frames
      if (!isHello(hello)) return
      const { isMore } = cursors
      jobs = cursors.next()

      const { pollMs = DEFAULT_POLL_MS } = hello
      heartbeatMs = hello.heartbeatMs ?? DEFAULT_HEARTBEAT_MS
      const isEmpty = frames.every(isControl)
      if (!isEmpty) newsAt = now()
      // An empty answer long before its time shows that the server ignores `wait`: it is polled as by a short poll.
      if (!waitS) unheldMs = now() - requestedAt
      const ignoresWait = isEmpty && now() - requestedAt < waitS * 500
      waitS = 0
      // A task in between, in which a full reader is paused.
      if (isMore) await macrotask()
      if (isMore || jobs.length === 0) continue
      if (mode === 'long-poll') {
        waitS = Math.min(Math.ceil(heartbeatMs / 1000), limitS, nextS)
        nextS = 2 * waitS
      }
      // The pause is shorter than a silence that kills the link. In a hidden page there is no hurry.
      if (ignoresWait || !waitS) await untilSeen(isHidden() ? heartbeatMs : Math.min(pollMs, heartbeatMs), signal)
    } catch (failure) {
      signal.throwIfAborted()
      limitS = waitS = Math.floor(waitS / 2)
      if (waitS < MIN_WAIT_S || !isTooLong(failure)) throw failure
    }
  }
}

const isHello = (frame: Frame | undefined): frame is Hello => !!frame && isControl(frame) && frame.control === 'hello'

/** Yields one answer, or the refusal. The answer has to begin within `limitMs`; `Infinity`: whenever it does. */
async function* readOne(
  request: OpenRequest,
  jobs: readonly Asked[],
  mode: Mode,
  waitS: number,
  limitMs: number,
  cursors: Cursors
): AsyncGenerator<Batch, void> {
  const attempt = child(request.signal)
  let timer: ReturnType<typeof setTimeout> | undefined
  const startTimeout = (ms: number, isLast = false): void => {
    const dueAt = now() + ms
    timer = setTimeout(() => {
      // After a sleep the answer may wait behind this timer, so it gets more time. In a hidden page every timer is late: there the second
      // late one is final.
      if (now() > dueAt + LATE_MS && !isLast) startTimeout(GRACE_MS, isHidden())
      else attempt.abort(new TransportError('silent', `no answer within ${ms} ms`))
    }, ms)
  }
  if (limitMs < Infinity) startTimeout(limitMs)
  try {
    const answer = await readEvents({ ...request, signal: attempt.signal }, jobs, { via: mode, accept: JSON_TYPE, waitS })
    if (isControl(answer)) return yield [answer]
    for await (const frames of readAnswer(answer, cursors)) {
      clearTimeout(timer)
      yield frames
    }
  } finally {
    clearTimeout(timer)
    attempt.release()
  }
}

/** Whether the request failed as it does where an intermediary does not let it last so long. */
const isTooLong = (failure: unknown): boolean =>
  isTransportError(failure) && (['network', 'cut', 'silent'].includes(failure.reason) || failure.status === 408 || failure.status === 504)
