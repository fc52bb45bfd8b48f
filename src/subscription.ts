/** The reader's end: iterator, state, result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { createFollower } from './delivery/follower.ts'
import type { Reader } from './delivery/reader.ts'
import { sizeOf } from './delivery/size.ts'
import { JobFailedError, JobtailError } from './errors.ts'
import { type Gap, type Position, startingAt } from './policy/position.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { isTerminal, TAIL } from './protocol/rules.ts'
import { CLOSED, createStore, endOf, IDLE } from './state.ts'
import type { DiagnosticDetail, SubscribeOptions, Subscription } from './types.ts'

export interface SubscriptionOptions extends SubscribeOptions {
  jobId: string
  bufferSize: number
  bufferBytes: number
  join(reader: Reader): void
  leave(reader: Reader): void
  /** A paused reader has room again. */
  onResume(reader: Reader): void
  /** `once`: without repeating what failed. */
  snapshot(signal: AbortSignal, once: boolean): Promise<JobSnapshot>
  cancel(): Promise<void>
  emit(detail: DiagnosticDetail): void
  /** It has begun to follow; returns how to say that it follows no more. */
  onBegin(stop: () => void): () => void
}

/** What the loop is yet to take: an event, and the epoch that its seq counts in. */
interface Item {
  event: WireEvent
  epoch: string | undefined
  bytes: number
}

type Outcome = { event: WireEvent } | { error: unknown }

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

export function createSubscription(options: SubscriptionOptions): Subscription {
  const { jobId, after, signal, onGap, bufferSize, bufferBytes, join, leave, emit, snapshot } = options
  const store = createStore(after === TAIL ? undefined : after)
  /** Aborted when nothing more comes to the loop; what is queued is still to be taken. */
  const loop = new AbortController()
  let queue = createQueue<Item>(({ bytes }) => bytes)
  let reader: Reader | undefined
  let isIterated = false
  let isPulled = false
  let result: PromiseWithResolvers<unknown> | undefined
  /** What the result is, as soon as it is known. */
  let outcome: Outcome | undefined
  /** There from the first time that somebody wants something until nobody does. */
  let release: (() => void) | undefined

  // ---- what comes in

  function createReader(position: Position, own: Pick<Reader, 'event' | 'gap' | 'done'>, isFull: () => boolean): Reader {
    let paused = false
    return {
      ...own,
      job: jobId,
      position,
      get full() {
        return isFull()
      },
      get paused() {
        return paused
      },
      set paused(value) {
        paused = value
        reconsider()
      },
      subscribed(status) {
        if (store.state.status === 'unknown' && !isTerminal(status)) store.set({ status })
      },
      fail,
      connection: (connection) => store.set({ connection })
    }
  }

  function createLoopReader(): Reader {
    const push = (event: WireEvent, bytes = 0): void => queue.push({ event, epoch: own.position.epoch, bytes })
    const takes: Pick<Reader, 'event' | 'gap' | 'done'> = {
      event(event) {
        push(event, sizeOf(event.data))
        if (isTerminal(event.type)) endLoop({ event })
      },
      gap(gap, { cursor, seq }) {
        tellGap(gap)
        const lost = `job ${jobId}: ${gap.missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${gap.reason})`
        if (onGap === 'throw') return fail(new JobtailError('gap', lost))
        const id = cursor === undefined || cursor === TAIL ? '' : cursor
        push({ id, seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap })
      },
      done() {
        leave(own)
        void askForEnd(loop.signal, (event, told) => {
          store.takeSnapshot(told)
          endLoop({ event })
        })
      }
    }
    const own = createReader(startingAt(after), takes, () => queue.length >= bufferSize || queue.weight >= bufferBytes)
    return own
  }

  /** Keeps state and result while nobody reads; and the result alone while the loop waits for it with a full buffer. */
  const follower = createFollower({
    ...{ after, join, leave, snapshot },
    createReader(position, stopped) {
      const takes: Pick<Reader, 'event' | 'gap' | 'done'> = {
        event(event) {
          if (!isPulled) store.take(event, own.position.epoch)
          if (isTerminal(event.type)) know({ event })
        },
        gap: tellGap,
        done() {
          leave(own)
          void askForEnd(stopped, takeSnapshot)
        }
      }
      const own = createReader(position, takes, () => false)
      return own
    },
    onSnapshot: (told) => takeSnapshot(endOf(told), told),
    onError: fail
  })

  function takeSnapshot(event: WireEvent | undefined, told: JobSnapshot): void {
    if (!isPulled) store.takeSnapshot(told)
    if (event) know({ event })
  }

  function tellGap({ missed }: Gap): void {
    emit({ type: 'gap', job: jobId, missed })
  }

  /** The cursor was at the end already: what the end was, the snapshot tells. */
  async function askForEnd(stopped: AbortSignal, tell: (event: WireEvent, told: JobSnapshot) => void): Promise<void> {
    try {
      const told = await snapshot(stopped, false)
      const event = endOf(told)
      if (!event) throw new JobtailError('protocol', `job ${jobId}: its log has ended, but its snapshot says that it goes on`)
      if (!stopped.aborted) tell(event, told)
    } catch (error) {
      if (!stopped.aborted) fail(error)
    }
  }

  // ---- when it connects

  const reads = (): boolean => isPulled && !loop.signal.aborted
  const follows = (): boolean => !outcome && (isPulled ? !!result && reader?.paused === true : !!result || store.listeners > 0)

  function reconsider(): void {
    if (reads() || follows()) begin()
    if (reads() && !reader) joinLoop()
    if (follows()) follower.start()
    else if (isPulled) follower.stop()
    else void macrotask().then(rest)
  }

  function begin(): void {
    if (release) return
    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const forget = options.onBegin(close)
    release = () => {
      signal?.removeEventListener('abort', onAbort)
      forget()
    }
  }

  function joinLoop(): void {
    reader = createLoopReader()
    try {
      join(reader)
    } catch (error) {
      fail(error)
    }
  }

  /** Lets go of everything, if nobody wants anything and nothing is left to take. */
  function rest(): void {
    if (reads() || follows() || queue.length > 0) return
    follower.stop()
    release?.()
    release = undefined
    store.set({ connection: outcome ? CLOSED : IDLE })
  }

  // ---- how it ends

  function know(how: Outcome): void {
    outcome ??= how
    follower.stop()
    settleResult()
    rest()
  }

  function settleResult(): void {
    if (!result || !outcome) return
    if (!('event' in outcome)) result.reject(outcome.error)
    else if (outcome.event.type === 'succeeded') result.resolve(outcome.event.data)
    else result.reject(new JobFailedError(outcome.event))
  }

  function endLoop(how: Outcome, ...thrown: [unknown?]): void {
    loop.abort()
    if (reader) leave(reader)
    queue.end(...thrown)
    know(how)
  }

  function fail(error: unknown): void {
    if (loop.signal.aborted) return
    store.set({ error: error as JobtailError }) // as: delivery fails with no other
    endLoop({ error }, error)
  }

  /** Ends it before its end: what is queued is dropped. */
  function stop(error: unknown, ...thrown: [unknown?]): void {
    if (loop.signal.aborted && queue.length > 0) queue = createQueue()
    queue.clear()
    endLoop({ error }, ...thrown)
  }

  function onAbort(): void {
    stop(signal?.reason, signal?.reason)
  }

  function close(): void {
    stop(new JobtailError('closed', `the subscription to job ${jobId} was closed before its end was known`))
  }

  // ---- what is seen

  function next(): Promise<IteratorResult<WireEvent, undefined>> {
    isPulled = true
    reconsider()
    const item = queue.shift()
    if (item) return Promise.resolve({ done: false, value: taken(item) })
    return queue.next().then(({ done, value }) => (done ? { done, value } : { done: false, value: taken(value) }))
  }

  function taken({ event, epoch }: Item): WireEvent {
    if (event.type !== 'gap') store.take(event, epoch)
    if (reader?.paused && queue.length <= bufferSize / 2 && queue.weight <= bufferBytes / 2) options.onResume(reader)
    if (loop.signal.aborted) rest()
    return event
  }

  const subscription: Omit<Subscription, typeof Symbol.asyncDispose | typeof Symbol.asyncIterator> & AsyncIterable<WireEvent> = {
    jobId,
    get state() {
      return store.state
    },
    onChange(listener) {
      const remove = store.onChange(listener)
      reconsider()
      return () => {
        remove()
        reconsider()
      }
    },
    get result() {
      if (!result) {
        result = Promise.withResolvers()
        result.promise.catch(() => {}) // never an unhandled rejection
        settleResult()
        reconsider()
      }
      return result.promise
    },
    cancel: options.cancel,
    close,
    [Symbol.asyncIterator]() {
      if (isIterated) throw new TypeError(`the subscription to job ${jobId} is being iterated already: one reader each, subscribe again for another`)
      isIterated = true
      return {
        next,
        return() {
          close()
          return Promise.resolve({ done: true, value: undefined })
        }
      }
    }
  }
  // as: the type parameter says what the application sends; no code depends on it
  return Object.assign(subscription, { [asyncDispose]: async () => close() }) as unknown as Subscription
}
