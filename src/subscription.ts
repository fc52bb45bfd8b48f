/** One subscription: the iterator, the state, and the result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { onAbort, withTimeout } from './async/signals.ts'
import type { Detail } from './diagnostics.ts'
import { isJobtailError, JobFailedError, JobtailError } from './errors.ts'
import { createJobReader, type JobReaderOptions } from './job-reader.ts'
import type { KnownJobs } from './known-jobs.ts'
import { startingAt } from './policy/position.ts'
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

/** An event that the loop has not taken yet, and the epoch that its seq counts in. */
interface Item {
  event: WireEvent
  epoch: string | undefined
  bytes: number
}

/** A snapshot is waited for no longer than this before events are read from the start: a path may hold back single answers alone. */
const LOCATE_MS = 2000

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

/** Makes a subscription. It is inert until somebody reads. */
export function createSubscription(options: SubscriptionOptions): Subscribed {
  const { jobId, after, signal, onGap, bufferSize, bufferBytes, life, wire, emit, known } = options
  const store = createStore({ lastEventId: after === TAIL ? undefined : after }, (event) => emit({ type: 'job', job: self.subscription, event }))
  let queue = createQueue<Item>(({ bytes }) => bytes)
  let result = pending()
  let isIterated = false
  let isPulled = false
  let isAwaited = false
  /** True once `result` is settled. */
  let isSettled = false
  /** True when no more events come to the loop. It still takes what is queued. */
  let isLoopOver = false
  /** Remove the listeners on both signals; `undefined` while nobody reads. */
  let releases: ((() => void) | undefined)[] | undefined

  const common = {
    locate,
    subscribed(status: JobSnapshot['status']) {
      if (isTerminal(status)) return
      known.add(jobId)
      if (store.state.status === 'unknown') store.set({ status })
    },
    connection: (connection: typeof IDLE) => store.set({ connection }),
    changed: reconcile,
    fail
  }
  /** Reads for the loop. */
  const loop = createJobReader(options, {
    ...common,
    position: startingAt(after),
    roomBytes: () => (queue.length >= bufferSize ? 0 : bufferBytes - queue.weight),
    event(event, bytes) {
      queue.push({ event, epoch: loop.position?.epoch, bytes })
      if (isTerminal(event.type)) end(event, true)
    },
    gap(gap, { cursor, seq }) {
      reportGap(gap)
      const { missed, reason } = gap
      if (onGap === 'throw')
        fail(new JobtailError('gap', `job ${jobId}: ${missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${reason})`))
      else queue.push({ event: { id: cursor ?? '', seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap }, epoch: undefined, bytes: 0 })
    },
    learn: (snapshot) => learnFrom(snapshot, true)
  })
  /** Reads for state and result alone: while there is no loop, or while the loop waits with a full queue. */
  const follower = createJobReader(options, {
    ...common,
    position: undefined,
    roomBytes: () => Infinity,
    event(event) {
      if (!isPulled) store.take(event, follower.position?.epoch)
      if (isTerminal(event.type)) end(event, false)
    },
    gap: reportGap,
    learn: (snapshot) => learnFrom(snapshot, false)
  })

  function reportGap({ missed }: Gap): void {
    emit({ type: 'gap', job: jobId, missed })
  }

  async function locate(stopped: AbortSignal): Promise<Position> {
    try {
      const snapshot = await withTimeout(
        (request) => wire().operations.snapshot(jobId, request, true),
        LOCATE_MS,
        stopped,
        () => undefined
      )
      learnFrom(snapshot, false)
      return positionOf(snapshot)
    } catch {
      // Events tell as much as the snapshot, and whatever failed here will fail, or succeed, there.
      return startingAt(after)
    }
  }

  /** Takes a snapshot into state and result. Returns whether the job has ended. */
  function learnFrom(snapshot: JobSnapshot, isLoop: boolean): boolean {
    if (isLoop || !isPulled) store.takeSnapshot(snapshot)
    const event = terminalEventOf(snapshot)
    if (event) end(event, isLoop)
    return !!event
  }

  const wantsEvents = (): boolean => isPulled && !isLoopOver
  const wantsState = (): boolean => !isSettled && (isPulled ? isAwaited && loop.mode !== 'link' : isAwaited || store.listeners > 0)

  function reconcile(): void {
    if (wantsEvents() || wantsState()) listenToSignals()
    if (wantsEvents()) void loop.start()
    if (wantsState()) void follower.start()
    else if (isPulled) follower.stop()
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
    if (wantsEvents() || wantsState() || queue.length > 0) return
    follower.stop()
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
    follower.stop()
    releaseIfIdle()
  }

  /** Ends the loop after what is queued. A result that is still pending rejects with `error`. */
  function endLoop(error?: unknown, thrown?: unknown): void {
    result.reject(error)
    isLoopOver = true
    loop.stop()
    queue.end(thrown)
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
    if (queue.length > 0) queue = createQueue()
    endLoop(error, thrown)
  }

  const abort = (): void => stop(signal?.reason, signal?.reason)
  const close = (): void => stop(new JobtailError('closed', `the subscription to job ${jobId} was closed before its end was known`))

  async function next(): Promise<IteratorResult<WireEvent, undefined>> {
    if (!isPulled) {
      isPulled = true
      reconcile()
    }
    const item = queue.shift() ?? (await queue.next()).value
    return item ? { done: false, value: take(item) } : { done: true, value: undefined }
  }

  function take({ event, epoch }: Item): WireEvent {
    if (event.type !== 'gap') store.take(event, epoch)
    if (loop.mode === 'paused' && queue.length <= bufferSize / 2 && queue.weight <= bufferBytes / 2) {
      emit({ type: 'resumed' })
      loop.setMode('paging')
    }
    if (isLoopOver) releaseIfIdle()
    return event
  }

  const iterator = {
    next,
    async return() {
      close()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => iterator
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
        return iterator
      }
    } as object as Subscription,
    learn(snapshot) {
      if (store.includes(snapshot)) return
      follower.position ??= positionOf(snapshot)
      learnFrom(snapshot, false)
    },
    retry() {
      isAwaited = isSettled = isLoopOver = false
      result = pending()
      follower.position = undefined
      store.set({ error: undefined, connection: IDLE })
    }
  }
  return self
}

const positionOf = ({ epoch, seq, cursor }: JobSnapshot): Position => ({ ...startingAt(cursor), epoch, seq })

/** A result that is not known yet. It never causes an unhandled rejection. */
function pending(): PromiseWithResolvers<unknown> {
  const result = Promise.withResolvers<unknown>()
  result.promise.catch(() => {})
  return result
}
