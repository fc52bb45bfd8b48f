/** The reader's end: iterator, state, result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { onAbort } from './async/signals.ts'
import { createFollower } from './delivery/follower.ts'
import type { Reader } from './delivery/reader.ts'
import { sizeOf } from './delivery/size.ts'
import { JobFailedError, JobtailError } from './errors.ts'
import type { Operations } from './operations.ts'
import { type Position, startingAt } from './policy/position.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { isTerminal, TAIL } from './protocol/rules.ts'
import { CLOSED, createStore, endOf, IDLE } from './state.ts'
import type { DiagnosticDetail, SubscribeOptions, Subscription } from './types.ts'

/** What carries it. */
export interface Wired {
  pool: Record<'join' | 'leave' | 'resume', (reader: Reader) => void>
  requests: Operations
}

export interface SubscriptionOptions extends SubscribeOptions {
  jobId: string
  bufferSize: number
  bufferBytes: number
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

export function createSubscription({ jobId, after, signal, onGap, bufferSize, bufferBytes, life, wire, emit }: SubscriptionOptions): Subscription {
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
  let held: (() => void) | undefined

  // ---- what comes in

  /** Of the loop, or of the follower: that keeps state and result while nobody reads, and the result alone while the loop waits with a full buffer. */
  function join(position: Position, stopped: AbortSignal): Reader | undefined {
    const isLoop = stopped === loop.signal
    let behind = false
    const own: Reader = {
      job: jobId,
      position,
      get full() {
        return isLoop && load() >= 1
      },
      paused: false,
      get behind() {
        return behind
      },
      set behind(value) {
        behind = value
        reconsider()
      },
      subscribed(status) {
        if (store.state.status === 'unknown' && !isTerminal(status)) store.set({ status })
      },
      event(event) {
        const { epoch } = own.position
        if (isLoop) queue.push({ event, epoch, bytes: sizeOf(event.data) })
        else if (!isPulled) store.take(event, epoch)
        if (isTerminal(event.type)) end(event, isLoop)
      },
      gap(gap, { cursor, seq }) {
        const { missed, reason } = gap
        emit({ type: 'gap', job: jobId, missed })
        if (!isLoop) return
        if (onGap === 'throw')
          return fail(new JobtailError('gap', `job ${jobId}: ${missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${reason})`))
        const event = { id: cursor ?? '', seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap }
        queue.push({ event, epoch: own.position.epoch, bytes: 0 })
      },
      /** The cursor was at the end already: what the end was, the snapshot tells. */
      async done() {
        leave(own)
        try {
          const told = await wire().requests.snapshot(jobId, stopped, false)
          if (!stopped.aborted && !learn(told, isLoop))
            throw new JobtailError('protocol', `job ${jobId}: its log has ended, but its snapshot says that it goes on`)
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

  const leave = (own: Reader): void => wire().pool.leave(own)

  const follower = createFollower({
    async locate(stopped) {
      try {
        const told = await wire().requests.snapshot(jobId, stopped, true)
        if (!stopped.aborted) learn(told, false)
        return { ...startingAt(told.cursor), epoch: told.epoch, seq: told.seq }
      } catch {
        // The events themselves say what is wrong, and tell as much as the snapshot.
        return startingAt(after)
      }
    },
    join,
    leave
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
  const follows = (): boolean => !isKnown && (isPulled ? isAwaited && reader?.behind === true : isAwaited || store.listeners > 0)

  function reconsider(): void {
    if (reads() || follows()) begin()
    if (reads()) reader ??= join(startingAt(after), loop.signal)
    if (follows()) follower.start()
    else if (isPulled) follower.stop()
    else void macrotask().then(rest)
  }

  function begin(): void {
    if (held) return
    if (signal?.aborted) return abort()
    if (life.aborted) return fail(life.reason)
    // Not by the listeners' own `signal` option: of several on one target Node forgets all but the last.
    const releases = [signal && onAbort(signal, abort), onAbort(life, close)]
    held = () => {
      for (const release of releases) release?.()
    }
  }

  /** Lets go of everything, if nobody wants anything and nothing is left to take. */
  function rest(): void {
    if (reads() || follows() || queue.length > 0) return
    follower.stop()
    held?.()
    held = undefined
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
    follower.stop()
    rest()
  }

  /** After what is queued. A result that isn't known by now is the error. */
  function endLoop(error?: unknown, thrown?: unknown): void {
    result.reject(error)
    loop.abort()
    if (reader) leave(reader)
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

  async function next(): Promise<IteratorResult<WireEvent, undefined>> {
    isPulled = true
    reconsider()
    const item = await queue.next()
    if (item.done) return item
    const { event, epoch } = item.value
    if (event.type !== 'gap') store.take(event, epoch)
    if (reader?.paused && load() <= 1 / 2) {
      emit({ type: 'resumed' })
      wire().pool.resume(reader)
    }
    if (loop.signal.aborted) rest()
    return { done: false, value: event }
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
    cancel: async () => wire().requests.cancel(jobId, life),
    close,
    [asyncDispose]: async () => close(),
    [Symbol.asyncIterator]() {
      if (isIterated) throw new TypeError(`the subscription to job ${jobId} is being iterated already: one reader each, subscribe again for another`)
      isIterated = true
      return {
        next,
        async return() {
          close()
          return { done: true, value: undefined }
        }
      }
    }
  }
  // as: the type parameter says what the application sends, no code depends on it; and TypeScript doesn't see the computed key
  return subscription as unknown as Subscription
}
