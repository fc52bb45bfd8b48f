/** One subscription: the iterator, the state, and the result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { onAbort } from './async/signals.ts'
import type { Detail } from './diagnostics.ts'
import { isJobtailError, JobFailedError, JobtailError } from './errors.ts'
import { createJobReader, type JobReaderOptions } from './job-reader.ts'
import type { KnownJobs } from './known-jobs.ts'
import { createLoop, type Item } from './loop.ts'
import { positionOf, startingAt } from './policy/position.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { isTerminal, TAIL } from './protocol/rules.ts'
import { CLOSED, createStore, IDLE, terminalEventOf } from './state.ts'
import type { Gap, Position, SubscribeOptions, Subscription } from './types.ts'

/** What a subscription is made of. */
export interface SubscriptionOptions extends SubscribeOptions, JobReaderOptions {
  bufferSize: number
  bufferBytes: number
  /** Aborts when the client is closed; the subscription is then closed too. */
  life: AbortSignal
  /** Reports a diagnostic, or a change of the state. */
  emit(detail: Detail): void
  /** Told whether the job still is one to follow. */
  known: Pick<KnownJobs, 'add' | 'remove'>
}

/** A subscription, as the client has it. */
export interface Subscribed {
  subscription: Subscription
  /** Takes a snapshot that somebody has brought. Where nothing as new is known, state and result come from it, and events are read from its cursor on. */
  learn(snapshot: JobSnapshot): void
  /** Begins anew where delivery has failed for good; for a subscription without a loop. What is known stays. */
  retry(): void
}

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

/** Makes a subscription. It is inert until somebody reads. */
export function createSubscription(options: SubscriptionOptions): Subscribed {
  const { jobId, after, signal, onGap, bufferSize, bufferBytes, life, wire, emit, known } = options
  const store = createStore({ lastEventId: after === TAIL ? undefined : after }, (event) => emit({ type: 'job', job: self.subscription, event }))
  const loop = createLoop({ onPull: reconcile, onTake, onReturn: close })
  let result = pending()
  let isIterated = false
  let isAwaited = false
  /** True once `result` is settled. */
  let isSettled = false
  /** True when no more events come to the loop. It still takes what is queued. */
  let isLoopOver = false
  /** Remove the listeners on both signals; `undefined` while nobody reads. */
  let releases: ((() => void) | undefined)[] | undefined

  const common = {
    after,
    subscribed(status: JobSnapshot['status'], position: Position) {
      keepTail(position)
      if (isTerminal(status)) return
      known.add(jobId)
      if (store.state.status === 'unknown') store.set({ status })
    },
    connection: (connection: typeof IDLE) => store.set({ connection }),
    changed: reconcile,
    fail
  }
  /** Reads for the loop. */
  const loopReader = createJobReader(options, {
    ...common,
    position: startingAt(after),
    roomBytes: () => (loop.queue.length >= bufferSize ? 0 : bufferBytes - loop.queue.weight),
    event(event, bytes) {
      loop.queue.push({ event, epoch: loopReader.position?.epoch, bytes })
      if (isTerminal(event.type)) end(event, true)
    },
    gap(gap, { cursor, seq }) {
      reportGap(gap)
      const { missed, reason } = gap
      if (onGap === 'throw')
        fail(new JobtailError('gap', `job ${jobId}: ${missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${reason})`))
      else loop.queue.push({ event: { id: cursor ?? '', seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap }, epoch: undefined, bytes: 0 })
    },
    learn: (snapshot) => learnFrom(snapshot, true)
  })
  /** Reads for state and result alone: while there is no loop, or while the loop waits with a full queue. */
  const stateReader = createJobReader(options, {
    ...common,
    position: undefined,
    roomBytes: () => Infinity,
    event(event) {
      if (!loop.isPulled) store.take(event, stateReader.position?.epoch)
      if (isTerminal(event.type)) end(event, false)
    },
    gap: reportGap,
    learn: (snapshot) => learnFrom(snapshot, false)
  })

  /** Where the tail was when the server first told: a loop that begins later, or a reader that resumes from `lastEventId`, loses nothing since then. */
  function keepTail(position: Position): void {
    if (after !== TAIL || position.cursor === TAIL || store.state.lastEventId) return
    loopReader.position = position
    store.set({ lastEventId: position.cursor })
  }

  function reportGap({ missed }: Gap): void {
    emit({ type: 'gap', job: jobId, missed })
  }

  /** Takes a snapshot into state and result. Returns whether the job has ended. */
  function learnFrom(snapshot: JobSnapshot, isLoop: boolean): boolean {
    keepTail(positionOf(snapshot))
    if (isLoop || !loop.isPulled) store.takeSnapshot(snapshot)
    const event = terminalEventOf(snapshot)
    if (event) end(event, isLoop)
    return !!event
  }

  const wantsEvents = (): boolean => loop.isPulled && !isLoopOver
  const wantsState = (): boolean => !isSettled && (loop.isPulled ? isAwaited && loopReader.mode !== 'link' : isAwaited || store.listeners > 0)

  function reconcile(): void {
    if (wantsEvents() || wantsState()) listenToSignals()
    if (wantsEvents()) void loopReader.start()
    if (wantsState()) void stateReader.start()
    else if (loop.isPulled) stateReader.stop()
    else void macrotask().then(releaseIfIdle)
  }

  function listenToSignals(): void {
    if (releases) return
    if (signal?.aborted) return abort()
    if (life.aborted) return fail(life.reason)
    // Not with `{ signal }` as the listeners' own option: of several such listeners on one target, Node removes only the last.
    releases = [signal && onAbort(signal, abort), onAbort(life, close)]
  }

  /** Releases everything where nobody reads, and nothing is left to take. */
  function releaseIfIdle(): void {
    if (wantsEvents() || wantsState() || loop.queue.length > 0) return
    stateReader.stop()
    for (const release of releases ?? []) release?.()
    releases = undefined
    store.set({ connection: isSettled ? CLOSED : IDLE })
  }

  /** The job has ended: settles the result, and ends the loop where the terminal event came to it. */
  function end(event: WireEvent, isLoop: boolean): void {
    if (!isSettled) known.remove(jobId)
    if (event.type === 'succeeded') result.resolve(event.data)
    else result.reject(new JobFailedError(event))
    if (isLoop) endLoop()
    else settle()
  }

  function settle(): void {
    isSettled = true
    stateReader.stop()
    releaseIfIdle()
  }

  /** Ends the loop after what is queued. A result that is still pending rejects with `error`. */
  function endLoop(error?: unknown, thrown?: unknown): void {
    result.reject(error)
    isLoopOver = true
    loopReader.stop()
    loop.queue.end(thrown)
    settle()
  }

  function fail(error: unknown): void {
    if (isLoopOver) return
    if (isJobtailError(error) && /^(unknown-job|forbidden|history-gone)$/.test(error.code)) known.remove(jobId)
    store.set({ error: error as JobtailError }) // as: delivery fails with no other
    endLoop(error, error)
  }

  /** Ends the loop at once, without what is queued. */
  function stop(error: unknown, thrown?: unknown): void {
    if (loop.queue.length > 0) loop.queue = createQueue()
    endLoop(error, thrown)
  }

  const abort = (): void => stop(signal?.reason, signal?.reason)

  function close(): void {
    stop(new JobtailError('closed', `the subscription to job ${jobId} was closed before its end was known`))
  }

  function onTake({ event, epoch }: Item): void {
    if (event.type !== 'gap') store.take(event, epoch)
    if (loopReader.mode === 'paused' && loop.queue.length <= bufferSize / 2 && loop.queue.weight <= bufferBytes / 2) {
      emit({ type: 'resumed' })
      loopReader.setMode('paging')
    }
    if (isLoopOver) releaseIfIdle()
  }

  const self: Subscribed = {
    // as: the type parameter only says what the application sends; and TypeScript does not see the computed key
    subscription: {
      jobId,
      get state() {
        return store.state
      },
      onChange(listener: () => void) {
        const remove = store.onChange(listener)
        reconcile()
        return () => {
          remove()
          reconcile()
        }
      },
      get result() {
        isAwaited = true
        reconcile()
        return result.promise
      },
      cancel: async () => wire().operations.cancel(jobId, life),
      close,
      [asyncDispose]: async () => close(),
      [Symbol.asyncIterator]() {
        if (isIterated) throw new TypeError(`the subscription to job ${jobId} is being iterated already: subscribe again`)
        isIterated = true
        return loop.iterator
      }
    } as object as Subscription,
    learn(snapshot) {
      if (store.includes(snapshot)) return
      stateReader.position ??= positionOf(snapshot)
      learnFrom(snapshot, false)
    },
    retry() {
      isAwaited = isSettled = isLoopOver = false
      result = pending()
      stateReader.position = undefined
      store.set({ error: undefined, connection: IDLE })
    }
  }
  return self
}

/** A result that is not known yet. It never causes an unhandled rejection. */
function pending(): PromiseWithResolvers<unknown> {
  const result = Promise.withResolvers<unknown>()
  result.promise.catch(() => {})
  return result
}
