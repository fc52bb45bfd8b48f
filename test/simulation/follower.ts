/** A follower of a job, and what it got. */

import type { Client, JobEvent, Subscription } from '../../src/types.ts'
import { clock } from './clock.ts'
import type { Step } from './faults.ts'
import { cursorOf, type Log, type Place } from './log.ts'

type Read = Extract<Step, { do: 'read' }>

export interface Follower {
  readonly job: string
  readonly client: number
  readonly by: 'loop' | 'onChange' | 'result'
  readonly read: Read | undefined
  readonly subscription: Subscription
  readonly startedAt: number
  /** Where it asked to begin; `undefined`: at the oldest event. */
  readonly began: Place | undefined
  /** The earliest end of the log from which it may read a tail: its own, or that of another reader of the client, with which it shares an answer under way. */
  readonly tailFrom: number
  /** Aborted by `leave`. */
  readonly controller: AbortController
  readonly events: JobEvent[]
  /** Whether it takes no events until `hurry` is called. */
  isStuck: boolean
  /** When it was last seen live, and when it ended. */
  liveAt: number
  endedAt: number
  /** How many events it had when it left. */
  leftWith: number | undefined
  left: 'close' | 'abort' | 'break' | undefined
  state: 'running' | 'ended' | 'threw'
  error: unknown
  hurry(): void
}

const SLOW_MS = 150

/** Where such a reader begins, if that is known. */
function placeFor({ from }: Read, log: Log | undefined): Place | undefined {
  if (!log || from === 'start') return undefined
  const { epoch } = log
  if (from === 'first-cursor') return { epoch, seq: Math.min(1, epoch.events.length) }
  return { epoch, seq: epoch.events.length }
}

export function startReader(client: Client, read: Read, log: Log | undefined, others: readonly Follower[]): Follower {
  const began = placeFor(read, log)
  const isTail = read.from === 'tail'
  const controller = new AbortController()
  const sharing = others.filter(
    (other) => other.client === read.client && other.job === read.job && other.read?.from === 'tail' && other.began?.epoch === began?.epoch
  )
  const tailFrom = isTail ? Math.min(began?.seq ?? 0, ...sharing.map((other) => other.tailFrom)) : 0
  const after = isTail ? 'tail' : began && cursorOf(began)
  const subscription = client.subscribe(read.job, { after, signal: controller.signal, onGap: read.throwsGaps ? 'throw' : 'yield' })
  const hurried = Promise.withResolvers<void>()
  let isHurried = false
  const follower: Follower = {
    job: read.job,
    client: read.client,
    by: 'loop',
    read,
    subscription,
    startedAt: clock.now,
    began,
    tailFrom,
    controller,
    events: [],
    isStuck: false,
    liveAt: Number.NEGATIVE_INFINITY,
    endedAt: Number.POSITIVE_INFINITY,
    leftWith: undefined,
    left: undefined,
    state: 'running',
    error: undefined,
    hurry() {
      isHurried = true
      hurried.resolve()
    }
  }

  async function pace(): Promise<void> {
    if (isHurried || read.pace === 'fast') return
    follower.isStuck = read.pace === 'stuck'
    await Promise.race([hurried.promise, ...(follower.isStuck ? [] : [new Promise<void>((resolve) => clock.after(SLOW_MS, resolve))])])
    follower.isStuck = false
  }

  async function loop(): Promise<void> {
    try {
      for await (const event of subscription) {
        follower.events.push(event)
        if (follower.left === 'break') {
          follower.leftWith = follower.events.length
          break
        }
        await pace()
      }
      follower.state = 'ended'
    } catch (error) {
      follower.error = error
      follower.state = 'threw'
      follower.endedAt = clock.now
    }
  }
  void loop()
  return follower
}

/** Starts a follower that only waits for the job's state or result. */
export function startFollower(client: Client, { job, client: number, by }: Extract<Step, { do: 'follow' }>): Follower {
  const controller = new AbortController()
  const subscription = client.subscribe(job, { signal: controller.signal })
  const follower: Follower = {
    job,
    client: number,
    by,
    read: undefined,
    subscription,
    startedAt: clock.now,
    began: undefined,
    tailFrom: 0,
    controller,
    events: [],
    isStuck: false,
    liveAt: Number.NEGATIVE_INFINITY,
    endedAt: Number.POSITIVE_INFINITY,
    leftWith: undefined,
    left: undefined,
    state: 'running',
    error: undefined,
    hurry() {}
  }
  const settle = (state: 'ended' | 'threw', error?: unknown): void => {
    if (follower.state === 'running') Object.assign(follower, { state, error, endedAt: clock.now })
  }
  if (by === 'onChange') {
    const remove = subscription.onChange(() => {
      const { status, error } = subscription.state
      if (status !== 'succeeded' && status !== 'failed' && status !== 'cancelled' && !error) return
      remove()
      settle(error?.name === 'JobtailError' ? 'threw' : 'ended', error)
    })
  } else
    subscription.result.then(
      () => settle('ended'),
      (error) => settle(error?.name === 'JobFailedError' ? 'ended' : 'threw', error)
    )
  return follower
}

export function leave(follower: Follower, how: 'close' | 'abort' | 'break'): void {
  const { subscription, controller, events, by } = follower
  follower.left = by === 'loop' ? how : how === 'break' ? 'close' : how
  if (follower.left === 'break') return
  follower.leftWith = events.length
  if (how === 'abort') controller.abort(new Error('left'))
  else subscription.close()
  // A listener that was removed hears of no end.
  if (by === 'onChange') follower.state = 'ended'
}
