/** The reader's end: iterator, state, result. */

import { macrotask } from './async/clock.ts'
import { createQueue } from './async/queue.ts'
import { child } from './async/signals.ts'
import type { Reader } from './delivery/reader.ts'
import { JobFailedError, JobtailError } from './errors.ts'
import { type Position, startingAt } from './policy/position.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { isTerminal, TAIL } from './protocol/rules.ts'
import { createStore, endChange, endOf, eventChange } from './state.ts'
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
  /** It has begun to follow; returns how to say that it is over. */
  onBegin(stop: () => void): () => void
}

/** What a reader holds: an event, and the epoch that its seq counts in. */
interface Item {
  event: WireEvent
  epoch: string | undefined
  bytes: number
}

type End = { event: WireEvent } | { error: unknown }

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

export function createSubscription(options: SubscriptionOptions): Subscription {
  const { jobId, after, signal, onGap, bufferSize, bufferBytes, join, leave, emit } = options
  const store = createStore(after === TAIL ? undefined : after)
  const life = new AbortController()
  let queue = createQueue<Item>(({ bytes }) => bytes)
  let result: PromiseWithResolvers<unknown> | undefined
  /** How it ended, as soon as it is known; what is queued is still to be taken. */
  let end: End | undefined
  let isIterated = false
  let isPulled = false
  let mode: 'inert' | 'follow' | 'read' = 'inert'
  let reader: Reader | undefined
  /** Where a follower goes on from. */
  let followed: Position | undefined
  /** How far `state` is: it never goes back. */
  let shown: { epoch: string | undefined; seq: number } = { epoch: undefined, seq: 0 }
  let over: (() => void) | undefined
  let detachFollower = (): void => {}

  // ---- what comes in

  function take({ event, epoch }: Item): void {
    const { type, seq, id } = event
    if (type === 'gap') return
    if (epoch !== shown.epoch || seq > shown.seq) {
      shown = { epoch, seq }
      store.set(isTerminal(type) ? endChange(event) : eventChange(event, store.state.status !== 'unknown'))
    }
    store.set({ lastEventId: id })
  }

  function createReader(position: Position, deliver: (item: Item) => void): Reader {
    const own: Reader = {
      job: jobId,
      position,
      paused: false,
      get full() {
        return queue.length >= bufferSize || queue.weight >= bufferBytes
      },
      event(event) {
        deliver({ event, epoch: own.position.epoch, bytes: sizeOf(event.data) })
        if (isTerminal(event.type)) finish({ event })
      },
      gap(gap, { cursor, seq }) {
        emit({ type: 'gap', job: jobId, ...(gap.missed === undefined ? {} : { missed: gap.missed }) })
        const lost = `job ${jobId}: ${gap.missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${gap.reason})`
        if (onGap === 'throw') return finish({ error: new JobtailError('gap', lost) })
        const id = cursor === undefined || cursor === TAIL ? '' : cursor
        deliver({ event: { id, seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap }, epoch: own.position.epoch, bytes: 0 })
      },
      subscribed(status) {
        if (store.state.status === 'unknown' && !isTerminal(status)) store.set({ status })
      },
      done: () => void finishBySnapshot(),
      fail: (error) => finish({ error }),
      connection: (connection) => store.set({ connection })
    }
    return own
  }

  /** The end is known: `result` settles now, the loop after what is queued. */
  function finish(how: End): void {
    if (end) return
    end = how
    detach()
    if ('event' in how) queue.end()
    else {
      store.set({ error: how.error as JobtailError }) // as: delivery fails with no other
      queue.end(how.error)
    }
    if (mode !== 'read' || queue.length === 0) closed()
    settleResult()
  }

  /** The cursor was at the end already: what the end was, the snapshot tells. */
  async function finishBySnapshot(): Promise<void> {
    if (reader) leave(reader)
    try {
      takeSnapshot(await options.snapshot(life.signal, false))
      if (!end) throw new JobtailError('protocol', `job ${jobId}: its log has ended, but its snapshot says that it goes on`)
    } catch (error) {
      if (!life.signal.aborted) finish({ error })
    }
  }

  function takeSnapshot(snapshot: JobSnapshot): void {
    const { epoch, seq, cursor, status, progress } = snapshot
    const event = endOf(snapshot)
    followed = { epoch, seq, cursor, left: [] }
    shown = { epoch, seq }
    store.set({ ...(event ? endChange(event) : { status }), ...(progress ? { progress } : {}), lastEventId: cursor })
    if (event) finish({ event })
  }

  function settleResult(): void {
    if (!result || !end) return
    if (!('event' in end)) result.reject(end.error)
    else if (end.event.type === 'succeeded') result.resolve(end.event.data)
    else result.reject(new JobFailedError(end.event))
  }

  // ---- when it connects

  function wanted(): typeof mode {
    if (end) return 'inert'
    return isPulled ? 'read' : store.listeners > 0 || result ? 'follow' : 'inert'
  }

  function reconsider(): void {
    const next = wanted()
    if (next === mode || !begin()) return
    if (next === 'inert') return void macrotask().then(letGo)
    detach()
    mode = next
    if (next === 'read') attach(createReader(startingAt(after), (item) => queue.push(item)))
    else void follow()
  }

  function letGo(): void {
    if (wanted() !== 'inert' || end) return
    detach()
    mode = 'inert'
  }

  /** The first time that somebody wants something. False where it is over before. */
  function begin(): boolean {
    if (over || end) return !end
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    if (!end) over = options.onBegin(close)
    return !end
  }

  async function follow(): Promise<void> {
    const following = child(life.signal)
    detachFollower = () => following.abort()
    try {
      if (!followed) takeSnapshot(await options.snapshot(following.signal, true))
    } catch {
      // The events themselves say what is wrong, and tell as much as the snapshot.
      if (!following.signal.aborted) followed = startingAt(after)
    } finally {
      following.release()
    }
    if (followed && !following.signal.aborted && !end) attach(createReader(followed, take))
  }

  function attach(next: Reader): void {
    reader = next
    try {
      join(next)
    } catch (error) {
      finish({ error })
    }
  }

  function detach(): void {
    detachFollower()
    if (!reader) return
    if (mode === 'follow') followed = reader.position
    leave(reader)
    reader = undefined
  }

  // ---- how it ends

  function closed(): void {
    signal?.removeEventListener('abort', onAbort)
    life.abort()
    over?.()
    store.set({ connection: Object.freeze({ phase: 'closed', transport: undefined, attempt: 0, retryAt: undefined }) })
  }

  /** Ends it before its end: what is queued is dropped. */
  function stop(error: unknown, thrown: unknown): void {
    detach()
    if (end && queue.length > 0) queue = createQueue()
    end ??= { error }
    queue.clear()
    queue.end(thrown)
    closed()
    settleResult()
  }

  const onAbort = (): void => stop(signal?.reason, signal?.reason)
  const close = (): void => {
    if (!life.signal.aborted) stop(new JobtailError('closed', `the subscription to job ${jobId} was closed before its end was known`), undefined)
  }

  // ---- what is seen

  function next(): Promise<IteratorResult<WireEvent, undefined>> {
    isPulled = true
    reconsider()
    const item = queue.shift()
    if (item) return Promise.resolve({ done: false, value: taken(item) })
    return queue.next().then(({ done, value }) => (done ? { done, value } : { done: false, value: taken(value) }))
  }

  function taken(item: Item): WireEvent {
    take(item)
    if (reader?.paused && queue.length <= bufferSize / 2 && queue.weight <= bufferBytes / 2) options.onResume(reader)
    if (end && queue.length === 0) closed()
    return item.event
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
        reconsider()
        settleResult()
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

/** About how much memory a value takes, in bytes. Not recursive: JSON may be nested deeper than the stack. */
function sizeOf(value: unknown): number {
  let size = 0
  const rest = [value]
  while (rest.length > 0) {
    const each = rest.pop()
    size += typeof each === 'string' ? 24 + each.length * 2 : 16
    if (typeof each === 'object' && each !== null) for (const inner of Object.values(each)) rest.push(inner)
  }
  return size
}
