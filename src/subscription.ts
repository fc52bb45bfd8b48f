/** One subscription: the iterator, the state, and the result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { child, delay, onAbort } from './async/signals.ts'
import { createStateReader } from './delivery/state-reader.ts'
import type { Detail } from './diagnostics.ts'
import { isJobtailError, JobFailedError, JobtailError } from './errors.ts'
import type { Operations } from './operations.ts'
import { backoffMs } from './policy/backoff.ts'
import { startingAt } from './policy/position.ts'
import type { Pool } from './pool.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { isTerminal, TAIL } from './protocol/rules.ts'
import { type AnyState, CLOSED, createStore, IDLE, terminalEventOf } from './state.ts'
import type { Mode, Position, Reader, RetryOptions, SubscribeOptions, Subscription } from './types.ts'

/** What a subscription uses of its client. */
export interface Wired {
  pool: Pool
  operations: Operations
}

/** What a subscription is made of. */
export interface SubscriptionOptions extends SubscribeOptions {
  jobId: string
  bufferSize: number
  bufferBytes: number
  retry: Required<RetryOptions>
  /** Aborts when the client is closed; the subscription is then closed too. */
  life: AbortSignal
  /** Makes the connections at the first call. Throws where the client cannot be used here. */
  wire(): Wired
  /** Reports a diagnostic, or a change of the state. */
  emit(detail: Detail): void
  /** Told whether the job still is one to follow: it runs, or it has ended or is none for this user. */
  track(id: string, isRunning: boolean): void
  /** What is known of the job already, from a subscription before. */
  known?: AnyState | undefined
}

/** A subscription, as the client has it. */
export interface Subscribed {
  subscription: Subscription
  /** Takes a snapshot that somebody has brought. Where nothing as new is known, state and result come from it, and events are read from its cursor on. */
  learn(snapshot: JobSnapshot): void
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
  const { jobId, after, signal, bufferSize, bufferBytes, retry, life, wire, emit, track, known } = options
  const store = createStore(known ?? { lastEventId: after === TAIL ? undefined : after }, (event) => emit({ type: 'job', job: subscription, event }))
  const result = Promise.withResolvers<unknown>()
  result.promise.catch(() => {}) // never an unhandled rejection
  /** Aborted when no more events come to the loop. The loop still takes what is queued. */
  const loopEnd = new AbortController()
  let queue = createQueue<Item>(({ bytes }) => bytes)
  /** How full the queue is: 1 or more means that nothing more should be read for it. */
  const fullness = (): number => Math.max(queue.length / bufferSize, queue.weight / bufferBytes)
  /** The loop's reader. */
  let loopReader: Reader | undefined
  let isIterated = false
  let isPulled = false
  let isAwaited = false
  /** True once `result` is settled. */
  let isSettled = false
  /** The snapshot that was brought. */
  let brought: JobSnapshot | undefined
  /** Removes the listeners on both signals; `undefined` while nobody reads. */
  let release: (() => void) | undefined

  /**
   * Adds a reader: for the loop; or for state and result alone, while there is no loop or while the loop waits with a full queue. `stopped`
   * tells which one it is.
   */
  function join(position: Position, stopped: AbortSignal): Reader | undefined {
    const isLoop = stopped === loopEnd.signal
    let mode: Mode = 'link'
    let contradictions = 0
    const reader: Reader = {
      job: jobId,
      position,
      get mode() {
        return mode
      },
      setMode(next) {
        mode = next
        wire().pool.changed(reader)
        reconcile()
      },
      roomBytes: () => (!isLoop ? Infinity : queue.length >= bufferSize ? 0 : bufferBytes - queue.weight),
      subscribed(status) {
        if (isTerminal(status)) return
        track(jobId, true)
        if (store.state.status === 'unknown') store.set({ status })
      },
      event(event, bytes) {
        const { epoch } = reader.position
        if (isLoop) queue.push({ event, epoch, bytes })
        else if (!isPulled) store.take(event, epoch)
        if (isTerminal(event.type)) end(event, isLoop)
      },
      gap(gap, { cursor, seq }) {
        const { missed, reason } = gap
        emit({ type: 'gap', job: jobId, missed })
        if (!isLoop) return
        if (options.onGap === 'throw')
          return fail(new JobtailError('gap', `job ${jobId}: ${missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${reason})`))
        const event = { id: cursor ?? '', seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap }
        queue.push({ event, epoch: reader.position.epoch, bytes: 0 })
      },
      /** The reader's cursor is at the log's end already, so no event tells how the job ended. The snapshot does. */
      async done() {
        wire().pool.leave(reader)
        try {
          const snapshot = await wire().operations.snapshot(jobId, stopped, false)
          if (stopped.aborted) return
          const { cursor } = reader.position
          if ((cursor === TAIL || cursor === snapshot.cursor) && learnFrom(snapshot, isLoop)) return
          // The snapshot contradicts it: an intermediary has made up the end (for example a stray 204). The job is read again.
          contradictions += 1
          await delay(backoffMs(contradictions, retry, Math.random), stopped)
          wire().pool.join(reader)
        } catch (error) {
          if (!stopped.aborted) fail(error)
        }
      },
      fail,
      connection: (connection) => store.set({ connection })
    }
    try {
      wire().pool.join(reader)
      return reader
    } catch (error) {
      fail(error)
      return undefined
    }
  }

  const stateReader = createStateReader({
    async locate(stopped) {
      const request = child(stopped)
      const timer = setTimeout(() => request.abort(), LOCATE_MS)
      try {
        const snapshot = brought ?? (await wire().operations.snapshot(jobId, request.signal, true))
        if (!stopped.aborted && snapshot !== brought) learnFrom(snapshot, false)
        return { ...startingAt(snapshot.cursor), epoch: snapshot.epoch, seq: snapshot.seq }
      } catch {
        // Events tell as much as the snapshot, and whatever failed here will fail, or succeed, there.
        return startingAt(after)
      } finally {
        clearTimeout(timer)
        request.release()
      }
    },
    join,
    leave: (reader) => wire().pool.leave(reader)
  })

  /** Takes a snapshot into state and result. Returns whether the job has ended. */
  function learnFrom(snapshot: JobSnapshot, isLoop: boolean): boolean {
    if (isLoop || !isPulled) store.takeSnapshot(snapshot)
    const event = terminalEventOf(snapshot)
    if (event) end(event, isLoop)
    return !!event
  }

  const wantsEvents = (): boolean => isPulled && !loopEnd.signal.aborted
  const wantsState = (): boolean =>
    !isSettled && (isPulled ? isAwaited && loopReader !== undefined && loopReader.mode !== 'link' : isAwaited || store.listeners > 0)

  function reconcile(): void {
    if (wantsEvents() || wantsState()) listenToSignals()
    if (wantsEvents()) loopReader ??= join(startingAt(after), loopEnd.signal)
    if (wantsState()) stateReader.start()
    else if (isPulled) stateReader.stop()
    else void macrotask().then(releaseIfIdle)
  }

  function listenToSignals(): void {
    if (release) return
    if (signal?.aborted) return abort()
    if (life.aborted) return fail(life.reason)
    // Not with `{ signal }` as the listeners' own option: of several such listeners on one target, Node removes only the last.
    const releases = [signal && onAbort(signal, abort), onAbort(life, close)]
    release = () => {
      for (const each of releases) each?.()
    }
  }

  /** Releases everything where nobody reads, and nothing is left to take. */
  function releaseIfIdle(): void {
    if (wantsEvents() || wantsState() || queue.length > 0) return
    stateReader.stop()
    release?.()
    release = undefined
    store.set({ connection: isSettled ? CLOSED : IDLE })
  }

  /** The job has ended: settles the result, and ends the loop where the terminal event came to it. */
  function end(event: WireEvent, isLoop: boolean): void {
    if (!isSettled) track(jobId, false)
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
    loopEnd.abort()
    if (loopReader) wire().pool.leave(loopReader)
    queue.end(thrown)
    settle()
  }

  function fail(error: unknown): void {
    if (loopEnd.signal.aborted) return
    if (isJobtailError(error) && /^(unknown-job|forbidden|history-gone)$/.test(error.code)) track(jobId, false)
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

  function next(): Promise<IteratorResult<WireEvent, undefined>> {
    if (!isPulled) {
      isPulled = true
      reconcile()
    }
    const item = queue.shift()
    return item ? Promise.resolve({ done: false, value: take(item) }) : queue.next().then(taken)
  }

  const taken = (item: IteratorResult<Item, undefined>): IteratorResult<WireEvent, undefined> => (item.done ? item : { done: false, value: take(item.value) })

  function take({ event, epoch }: Item): WireEvent {
    if (event.type !== 'gap') store.take(event, epoch)
    if (loopReader?.mode === 'paused' && fullness() <= 1 / 2) {
      emit({ type: 'resumed' })
      loopReader.setMode('paging')
    }
    if (loopEnd.signal.aborted) releaseIfIdle()
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

  const subscription = {
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
  }
  return {
    // as: the type parameter only says what the application sends; and TypeScript does not see the computed key
    subscription: subscription as unknown as Subscription,
    learn(snapshot) {
      if (store.includes(snapshot)) return
      brought = snapshot
      learnFrom(snapshot, false)
    }
  }
}
