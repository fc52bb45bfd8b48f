/**
 * One subscription: follows a job for its loop, and for its state and result. Whatever changes, `reconcile` starts and stops what reads for them.
 */

import { macrotask } from './async/clock.ts'
import { onAbort } from './async/signals.ts'
import { createEnding } from './ending.ts'
import { JobtailError } from './errors.ts'
import { createJobReader, type JobReaderOptions } from './job-reader.ts'
import { createLoop, type Item } from './loop.ts'
import { positionOf, startingAt } from './policy/position.ts'
import type { JobSnapshot } from './protocol/frames.ts'
import { TAIL } from './protocol/rules.ts'
import { CLOSED, createStore, IDLE, terminalEventOf } from './state.ts'
import { createSurface } from './surface.ts'
import type { Position, SubscribeOptions, Subscription } from './types.ts'

/** What a subscription is made of. */
export interface SubscriptionOptions extends Omit<SubscribeOptions, 'after'>, JobReaderOptions {
  bufferSize: number
  bufferBytes: number
  /** Aborts when the client is closed; the subscription is then closed too. */
  life: AbortSignal
}

/** A subscription, as the client has it. */
export interface Subscribed {
  subscription: Subscription
  /** Takes a snapshot that somebody has brought, unless as much is known. Events are then read from its cursor on. */
  learn(snapshot: JobSnapshot): void
  /** Begins anew where delivery has failed for good; for a subscription without a loop. What is known stays. */
  retry(): void
}

/** Makes a subscription. It is inert until somebody reads. */
export function createSubscription(options: SubscriptionOptions): Subscribed {
  const { jobId, after, signal, onGap, life, emit } = options
  const store = createStore({ lastEventId: after === TAIL ? undefined : after }, (event) => emit({ type: 'job', job: subscription, event }))
  const loop = createLoop({ ...options, onPull: reconcile, onTake, onReturn: close })
  const ending = createEnding(options, store, loop, reconcile)
  let isAwaited = false
  /** Remove the listeners on both signals; `undefined` while nobody reads. */
  let releases: ((() => void) | undefined)[] | undefined

  const common = { located: keepTail, changed: reconcile, fail: ending.fail }
  const loopReader = createJobReader(options, store, {
    ...common,
    position: startingAt(after),
    roomBytes: loop.roomBytes,
    learn: (snapshot) => learnFrom(snapshot, true),
    event(event, bytes) {
      loop.queue.push({ event, epoch: loopReader.position?.epoch, bytes })
      ending.got(event, true)
    },
    gap(gap, { cursor, seq }) {
      const { missed, reason } = gap
      if (onGap === 'throw')
        ending.fail(new JobtailError('gap', `job ${jobId}: ${missed ?? 'an unknown number of'} events after ${cursor ?? 'the start'} are lost (${reason})`))
      else loop.queue.push({ event: { id: cursor ?? '', seq, job: jobId, type: 'gap', time: new Date().toISOString(), data: gap }, epoch: undefined, bytes: 0 })
    }
  })
  /** Reads for state and result alone: while there is no loop, or while the loop waits with a full queue. */
  const stateReader = createJobReader(options, store, {
    ...common,
    position: undefined,
    roomBytes: () => Infinity,
    learn: (snapshot) => learnFrom(snapshot, false),
    event(event) {
      if (!wantsEvents()) store.take(event, stateReader.position?.epoch)
      ending.got(event, false)
    }
  })

  /** Where the tail was when the server first told: a loop that begins later, or a reader that resumes from `lastEventId`, loses nothing since then. */
  function keepTail(position: Position): void {
    if (after !== TAIL || position.cursor === TAIL || store.state.lastEventId) return
    loopReader.position = position
    store.set({ lastEventId: position.cursor })
  }

  /** Takes a snapshot into state and result. Returns whether the job has ended. */
  function learnFrom(snapshot: JobSnapshot, isLoop: boolean): boolean {
    keepTail(positionOf(snapshot))
    if (isLoop || !wantsEvents()) store.takeSnapshot(snapshot)
    const event = terminalEventOf(snapshot)
    if (event) ending.got(event, isLoop)
    return !!event
  }

  const wantsEvents = (): boolean => loop.phase === 'reading'
  const wantsState = (): boolean => !ending.isSettled && (wantsEvents() ? isAwaited && loopReader.mode !== 'link' : isAwaited || store.listeners > 0)

  function reconcile(): void {
    if (wantsEvents() || wantsState()) listenToSignals()
    if (wantsEvents()) void loopReader.start()
    else loopReader.stop()
    if (wantsState()) void stateReader.start()
    else if (wantsEvents()) stateReader.stop()
    else if (ending.isSettled) release()
    // Somebody else may come in this task, for example as a component is mounted anew.
    else void macrotask().then(release)
  }

  function listenToSignals(): void {
    if (releases) return
    if (signal?.aborted) return abort()
    if (life.aborted) return ending.fail(life.reason)
    // Not with `{ signal }` as the listeners' own option: of several such listeners on one target, Node removes only the last.
    releases = [signal && onAbort(signal, abort), onAbort(life, close)]
  }

  /** Releases everything where nobody reads, and nothing is left to take. */
  function release(): void {
    if (wantsEvents() || wantsState()) return
    stateReader.stop()
    if (loop.queue.length > 0) return
    for (const release of releases ?? []) release?.()
    releases = undefined
    store.set({ connection: ending.isSettled ? CLOSED : IDLE })
  }

  function abort(): void {
    ending.stop(signal?.reason, signal?.reason)
  }

  function close(): void {
    ending.stop(new JobtailError('closed', `the subscription to job ${jobId} was closed before its end was known`))
  }

  function onTake({ event, epoch }: Item): void {
    if (event.type !== 'gap') store.take(event, epoch)
    if (loopReader.mode === 'paused' && loop.isHalfEmpty) {
      emit({ type: 'resumed' })
      loopReader.setMode('paging')
    }
    if (loop.phase === 'over') release()
  }

  function result(): Promise<unknown> {
    isAwaited = true
    reconcile()
    return ending.result
  }

  const subscription = createSurface(options, { store, loop, result, reconcile, close })
  return {
    subscription,
    learn(snapshot) {
      if (store.includes(snapshot)) return
      stateReader.position ??= positionOf(snapshot)
      learnFrom(snapshot, false)
    },
    retry() {
      isAwaited = false
      stateReader.position = undefined
      ending.retry()
    }
  }
}
