/** The reader's end: iterator, state, result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { delay, onAbort } from './async/signals.ts'
import { createStateReader } from './delivery/state-reader.ts'
import { JobFailedError, JobtailError } from './errors.ts'
import type { Operations } from './operations.ts'
import { backoffMs } from './policy/backoff.ts'
import { startingAt } from './policy/position.ts'
import type { Pool } from './pool.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { isTerminal, TAIL } from './protocol/rules.ts'
import { CLOSED, createStore, endOf, IDLE } from './state.ts'
import type { DiagnosticDetail, Mode, Position, Reader, RetryOptions, SubscribeOptions, Subscription } from './types.ts'

/** What carries it. */
export interface Wired {
  pool: Pool
  operations: Operations
}

export interface SubscriptionOptions extends SubscribeOptions {
  jobId: string
  bufferSize: number
  bufferBytes: number
  retry: Required<RetryOptions>
  /** The client's: its abort closes the subscription. */
  life: AbortSignal
  /** Throws where the client can't be used here. */
  wire(): Wired
  emit(detail: DiagnosticDetail): void
}

/** What the loop is yet to take: an event, and the epoch that its seq counts in. */
interface Item {
  event: WireEvent
  epoch: string | undefined
  bytes: number
}

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

export function createSubscription(options: SubscriptionOptions): Subscription {
  const { jobId, after, signal, bufferSize, bufferBytes, retry, life, wire, emit } = options
  const store = createStore(after === TAIL ? undefined : after)
  const result = Promise.withResolvers<unknown>()
  result.promise.catch(() => {}) // never an unhandled rejection
  /** Aborted when nothing more comes to the loop; what is queued is still to be taken. */
  const loop = new AbortController()
  let queue = createQueue<Item>(({ bytes }) => bytes)
  /** How full the queue is: 1 and above is too full. */
  const load = (): number => Math.max(queue.length / bufferSize, queue.weight / bufferBytes)
  /** The loop's. */
  let reader: Reader | undefined
  let isIterated = false
  let isPulled = false
  let isAwaited = false
  /** The result is settled. */
  let isKnown = false
  /** Lets go of both signals, when nobody wants anything any more; there from the first time that somebody does. */
  let release: (() => void) | undefined

  // ---- what comes in

  /** A reader for the loop; or for state and result while nobody reads, and for the result alone while the loop waits with a full buffer. */
  function join(position: Position, stopped: AbortSignal): Reader | undefined {
    const isLoop = stopped === loop.signal
    let mode: Mode = 'link'
    let contradictions = 0
    const own: Reader = {
      job: jobId,
      position,
      get mode() {
        return mode
      },
      setMode(next) {
        mode = next
        wire().pool.changed(own)
        reconsider()
      },
      roomBytes: () => (!isLoop ? Infinity : queue.length >= bufferSize ? 0 : bufferBytes - queue.weight),
      subscribed(status) {
        if (store.state.status === 'unknown' && !isTerminal(status)) store.set({ status })
      },
      event(event, bytes) {
        const { epoch } = own.position
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
        queue.push({ event, epoch: own.position.epoch, bytes: 0 })
      },
      /** The cursor was at the end already: what the end was, the snapshot tells. */
      async done() {
        wire().pool.leave(own)
        try {
          const told = await wire().operations.snapshot(jobId, stopped, false)
          if (stopped.aborted) return
          const { cursor } = own.position
          if ((cursor === TAIL || cursor === told.cursor) && learn(told, isLoop)) return
          // Somebody in between has said so (a stray 204): there is more, and it is asked for again.
          contradictions += 1
          await delay(backoffMs(contradictions, retry, Math.random), stopped)
          wire().pool.join(own)
        } catch (error) {
          if (!stopped.aborted) fail(error)
        }
      },
      fail,
      connection: (connection) => store.set({ connection })
    }
    try {
      wire().pool.join(own)
      return own
    } catch (error) {
      fail(error)
      return undefined
    }
  }

  const stateReader = createStateReader({
    async locate(stopped) {
      try {
        const told = await wire().operations.snapshot(jobId, stopped, true)
        if (!stopped.aborted) learn(told, false)
        return { ...startingAt(told.cursor), epoch: told.epoch, seq: told.seq }
      } catch {
        // The events themselves say what is wrong, and tell as much as the snapshot.
        return startingAt(after)
      }
    },
    join,
    leave: (own) => wire().pool.leave(own)
  })

  /** Whether it tells of the end. */
  function learn(told: JobSnapshot, isLoop: boolean): boolean {
    if (isLoop || !isPulled) store.takeSnapshot(told)
    const event = endOf(told)
    if (event) end(event, isLoop)
    return !!event
  }

  // ---- when it connects

  const reads = (): boolean => isPulled && !loop.signal.aborted
  const followsState = (): boolean => !isKnown && (isPulled ? isAwaited && reader !== undefined && reader.mode !== 'link' : isAwaited || store.listeners > 0)

  function reconsider(): void {
    if (reads() || followsState()) begin()
    if (reads()) reader ??= join(startingAt(after), loop.signal)
    if (followsState()) stateReader.start()
    else if (isPulled) stateReader.stop()
    else void macrotask().then(rest)
  }

  function begin(): void {
    if (release) return
    if (signal?.aborted) return abort()
    if (life.aborted) return fail(life.reason)
    // Not by the listeners' own `signal` option: of several on one target Node forgets all but the last.
    const releases = [signal && onAbort(signal, abort), onAbort(life, close)]
    release = () => {
      for (const each of releases) each?.()
    }
  }

  /** Lets go of everything, if nobody wants anything and nothing is left to take. */
  function rest(): void {
    if (reads() || followsState() || queue.length > 0) return
    stateReader.stop()
    release?.()
    release = undefined
    store.set({ connection: isKnown ? CLOSED : IDLE })
  }

  // ---- how it ends

  /** The job has ended: so has the loop, unless it is yet to read that. */
  function end(event: WireEvent, isLoop: boolean): void {
    if (event.type === 'succeeded') result.resolve(event.data)
    else result.reject(new JobFailedError(event))
    if (isLoop) endLoop()
    else know()
  }

  function know(): void {
    isKnown = true
    stateReader.stop()
    rest()
  }

  /** After what is queued. A result that isn't known by now is the error. */
  function endLoop(error?: unknown, thrown?: unknown): void {
    result.reject(error)
    loop.abort()
    if (reader) wire().pool.leave(reader)
    queue.end(thrown)
    know()
  }

  function fail(error: unknown): void {
    if (loop.signal.aborted) return
    store.set({ error: error as JobtailError }) // as: delivery fails with no other
    endLoop(error, error)
  }

  /** At once: what is queued is dropped. */
  function stop(error: unknown, thrown?: unknown): void {
    if (queue.length > 0) queue = createQueue()
    endLoop(error, thrown)
  }

  const abort = (): void => stop(signal?.reason, signal?.reason)
  const close = (): void => stop(new JobtailError('closed', `the subscription to job ${jobId} was closed before its end was known`))

  // ---- what is seen

  function next(): Promise<IteratorResult<WireEvent, undefined>> {
    if (!isPulled) {
      isPulled = true
      reconsider()
    }
    const item = queue.shift()
    return item ? Promise.resolve({ done: false, value: take(item) }) : queue.next().then(taken)
  }

  const taken = (item: IteratorResult<Item, undefined>): IteratorResult<WireEvent, undefined> => (item.done ? item : { done: false, value: take(item.value) })

  function take({ event, epoch }: Item): WireEvent {
    if (event.type !== 'gap') store.take(event, epoch)
    if (reader?.mode === 'paused' && load() <= 1 / 2) {
      emit({ type: 'resumed' })
      reader.setMode('paging')
    }
    if (loop.signal.aborted) rest()
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
      reconsider()
      return () => {
        remove()
        reconsider()
      }
    },
    get result() {
      isAwaited = true
      reconsider()
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
  // as: the type parameter says what the application sends, no code depends on it; and TypeScript doesn't see the computed key
  return subscription as unknown as Subscription
}
