/** The tasks that are measured, the same for all contestants. */

import type { WireEvent } from '../../../src/protocol/frames.ts'
import type { Order } from '../server.ts'
import { clock, type Measured, replayed, type Spec, type Task } from '../spec.ts'
import { type Contestant, contestants } from './contestants.ts'

/** A pause after a connection is live, since a better one may still take over. */
const SETTLE_MS = 600
const TICK_MS = 5

interface Stage {
  contestant: Contestant
  id: string
  /** Resolves when the page's CPU time so far has been recorded. */
  begin(): Promise<unknown>
  /** Follows topics and checks that no event is lost or repeated. `last` resolves with the time when `isLast` is first true. */
  follow(topics: readonly string[], isLast: (event: Pick<WireEvent, 'seq' | 'data'>) => boolean): { live: Promise<unknown>; last: Promise<number> }
}

type Run<T> = (stage: Stage, task: T) => Promise<Measured>

/** Sends an order to the server under test. That also opens the connection that a later request uses. */
async function order(told: Order): Promise<{ startedAt: number }> {
  const response = await fetch('/order', { method: 'POST', body: JSON.stringify(told) })
  return response.json()
}

const numbered = (id: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${id}-${index}`)

const replay: Run<Task & { do: 'replay' }> = async ({ contestant: { source }, id, begin, follow }, { events }) => {
  await order({ do: 'prepare', source, topic: id })
  await begin()
  const startedAt = clock()
  const { last } = follow([replayed(events)], ({ seq }) => seq === events)
  return { ms: (await last) - startedAt }
}

const burst: Run<Task & { do: 'burst' }> = async ({ contestant: { source }, id, begin, follow }, { events, isPaced, idle }) => {
  await order({ do: 'prepare', source, topic: id, count: idle + 1 })
  const joined = Promise.withResolvers<void>()
  let count = 0
  const { last, live } = follow(numbered(id, idle + 1), ({ seq }) => {
    if (seq === 1) count += 1
    if (count === idle + 1) joined.resolve()
    return seq === events + 1
  })
  await joined.promise
  await live
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  await begin()
  const { startedAt } = await order({ do: 'burst', source, topic: `${id}-0`, events, isPaced })
  return { ms: (await last) - startedAt }
}

const join: Run<Task & { do: 'join' }> = async ({ contestant: { source }, id, begin, follow }, { jobs }) => {
  await order({ do: 'prepare', source, topic: id, count: jobs })
  await begin()
  const startedAt = clock()
  let count = 0
  const { last } = follow(numbered(id, jobs), () => {
    count += 1
    return count === jobs
  })
  return { ms: (await last) - startedAt }
}

/** Measures the first event and the first live one: the first that is appended after the page has received one. */
const first: Run<Task & { do: 'first' }> = async ({ contestant: { source, isOnce }, id, begin, follow }) => {
  await order({ do: 'tick', source, topic: id, everyMs: TICK_MS, forMs: 5000 })
  await begin()
  const startedAt = clock()
  let firstAt = 0
  const { last } = follow([id], ({ data }) => {
    firstAt ||= clock()
    return isOnce || (data as { at: number }).at > firstAt // as: what the server appends
  })
  const liveAt = await last
  return { firstMs: firstAt - startedAt, ...(!isOnce && { liveMs: liveAt - startedAt }) }
}

function perform(stage: Stage, task: Task): Promise<Measured> {
  switch (task.do) {
    case 'replay':
      return replay(stage, task)
    case 'burst':
      return burst(stage, task)
    case 'join':
      return join(stage, task)
    case 'first':
      return first(stage, task)
    default:
      return task satisfies never
  }
}

export async function run({ task, contestant: name, id }: Spec, begin: () => Promise<unknown>): Promise<Measured> {
  const contestant = contestants[name]
  if (!contestant) throw new Error(`no contestant is called ${name}`)
  const failure = Promise.withResolvers<never>()
  let stop = (): void => {}

  const follow: Stage['follow'] = (topics, isLast) => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const had = new Map<string, number>()
    let isOver = false
    const following = contestant.follow(
      topics,
      (event) => {
        const before = had.get(event.job) ?? 0
        if (event.seq !== before + 1) failure.reject(new Error(`${event.job}: event ${event.seq} came after ${before}`))
        had.set(event.job, event.seq)
        if (isOver || !isLast(event)) return
        isOver = true
        resolve(clock())
      },
      (error) => {
        if (!isOver) failure.reject(error)
      }
    )
    stop = following.stop
    return { live: following.live, last: promise }
  }

  try {
    return await Promise.race([perform({ contestant, id, begin, follow }, task), failure.promise])
  } finally {
    stop()
  }
}
