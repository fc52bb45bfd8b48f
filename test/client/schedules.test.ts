/** Whatever the network, the server's retention and the readers do: each retained event once, in order, and no loss that isn't told. */

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { JobEvent, Subscription } from '../../src/types.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { dying, failing, hanging, mute, type Script, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, NAMES, useVirtualTime, type World } from './world.ts'

useVirtualTime()

const JOBS = ['a', 'b', 'c']
const ms = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
const job = fc.constantFrom(...JOBS)

type Behaviour = { kind: 'serve' | 'die' | 'hang' | 'mute' | 'fail'; delayMs: number; subscribedMs: number; lifeMs: number }
const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  kind: fc.constantFrom('serve', 'serve', 'die', 'die', 'hang', 'mute', 'fail'),
  delayMs: ms(600),
  subscribedMs: ms(100),
  lifeMs: ms(7000)
})

type Action =
  | { do: 'append'; job: string; count: number }
  | { do: 'trim' | 'rebuild'; job: string }
  | { do: 'read'; job: string; from: 'start' | 'tail' | 'now'; isSlow: boolean }
  | { do: 'follow'; job: string }
  | { do: 'leave' | 'hurry'; which: number }
  | { do: 'cut' }
  | { do: 'pass'; ms: number }
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append'), job, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('trim', 'rebuild'), job }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read'), job, from: fc.constantFrom('start', 'tail', 'now'), isSlow: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('follow'), job }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('leave', 'hurry'), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut') }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.oneof(ms(40), ms(1500)) }) }
) as fc.Arbitrary<Action> // as: oneof widens the literals

interface Follower {
  subscription: Subscription
  from: 'start' | 'tail' | 'now'
  /** The seq after which it began, where it was told one. */
  began: number | undefined
  events: JobEvent[]
  hasLeft: boolean
  hurry(): void
  error: unknown
  ended: boolean
}

function read(world: World, { job, from, isSlow }: Action & { do: 'read' }): Follower {
  const began = world.log.events(job).length
  const after = from === 'start' ? undefined : from === 'tail' ? 'tail' : world.log.cursorAt(job, began)
  const subscription = world.client.subscribe(job, { after })
  const fast = Promise.withResolvers<void>()
  const follower: Follower = {
    ...{ subscription, from, began: from === 'now' ? began : undefined, events: [], hasLeft: false, error: undefined, ended: false },
    hurry: fast.resolve
  }
  const loop = async (): Promise<void> => {
    for await (const event of subscription) {
      follower.events.push(event)
      if (isSlow) await fast.promise
    }
    follower.ended = true
  }
  loop().catch((error) => {
    follower.error = error
  })
  return follower
}

/** What was had is an unbroken stretch of the log, but for gaps that are told and that retention, or a new epoch, has made. */
function check({ events, from, began }: Follower, mayLose: ReadonlySet<string>): void {
  // Where it has got to; undefined where that can't be known.
  let last = from === 'start' ? { epoch: '', seq: 0 } : began === undefined ? undefined : { epoch: '', seq: began }
  for (const { type, id, seq, job, data } of events) {
    if (type === 'gap') {
      expect(mayLose.has(job), `a gap in ${job}, of which nothing was lost`).toBe(true)
      const { missed } = data as { missed: number | undefined } // as: the client's own
      last = last && missed !== undefined ? { ...last, seq: last.seq + missed } : undefined
      continue
    }
    const [epoch = ''] = id.split('-')
    if (last) expect(seq).toBe(last.seq + 1)
    if (last?.epoch) expect(epoch).toBe(last.epoch)
    last = { epoch, seq }
  }
}

function perform(each: Action, world: World, followers: Follower[], mayLose: Set<string>): void {
  const { log } = world
  switch (each.do) {
    case 'append':
      return log.fill(each.job, log.events(each.job).length + each.count)
    case 'trim':
      mayLose.add(each.job)
      return log.trim(each.job, Math.floor(log.events(each.job).length * 0.8))
    case 'rebuild':
      mayLose.add(each.job)
      for (const link of world.open) link.fail('cut')
      log.rebuild(each.job)
      return
    case 'read':
      followers.push(read(world, each))
      return
    case 'follow': {
      const subscription = world.client.subscribe(each.job)
      subscription.onChange(() => {})
      return
    }
    case 'leave': {
      const follower = followers[each.which]
      if (!follower) return
      follower.hasLeft = true
      follower.hurry()
      return follower.subscription.close()
    }
    case 'hurry':
      return followers[each.which]?.hurry()
    case 'cut':
      for (const link of world.open) link.fail('cut')
      return
    case 'pass':
      return
    default:
      each satisfies never
  }
}

const scriptOf =
  (behaviours: Behaviour[], world: World, mux: number): Script =>
  (link) => {
    const { kind, delayMs, subscribedMs, lifeMs } = behaviours.shift() ?? { kind: 'serve', delayMs: 10, subscribedMs: 0, lifeMs: 0 }
    const serve = serving(world.log, { delayMs, subscribedMs, mux, heartbeatMs: 2000 })
    if (kind === 'serve') serve(link)
    else if (kind === 'die') dying(serve, lifeMs)(link)
    else if (kind === 'hang') hanging(link)
    else if (kind === 'mute') mute(link)
    else failing('network')(link)
  }

test('schedules', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 60, size: 'max' }),
      fc.array(behaviour, { maxLength: 30, size: 'max' }),
      fc.record({
        mux: fc.constantFrom(1, 2, 128),
        bufferSize: fc.constantFrom(2, 10, 1000),
        canUpdate: fc.boolean(),
        firstLook: fc.boolean(),
        httpDelayMs: ms(300)
      }),
      async (actions, behaviours, { mux, ...options }) => {
        vi.clearAllTimers() // what another schedule may have left
        const world = createWorld({ ...options, probeTimeoutMs: 1000 })
        const followers: Follower[] = []
        const mayLose = new Set<string>()
        for (const name of JOBS) world.log.append(name, 'queued', {})
        for (const name of NAMES) world.transports[name].script = scriptOf(behaviours, world, mux)
        for (const each of actions) {
          perform(each, world, followers, mayLose)
          if (each.do === 'pass') await (each.ms > 100 ? elapseRoughly(each.ms) : elapse(each.ms))
        }

        for (const { hurry } of followers) hurry()
        await elapseRoughly(2000)
        for (const name of JOBS) world.log.append(name, 'succeeded', name)
        // Long enough for any backoff.
        for (let waited = 0; waited < 40 && followers.some(({ ended, error }) => !ended && !error); waited += 1) await elapseRoughly(2000)

        for (const follower of followers) {
          expect(follower.error).toBeUndefined()
          expect(follower.ended).toBe(true)
          check(follower, mayLose)
          if (follower.hasLeft) continue
          const { jobId, state, result } = follower.subscription
          expect(await result).toBe(jobId)
          expect(state).toMatchObject({ status: 'succeeded', result: jobId, lastEventId: world.log.events(jobId).at(-1)?.id })
        }
        world.client.close()
        await expectNothingLeft(world)
        vi.clearAllMocks()
      }
    ),
    { numRuns: 150 }
  )
}, 60_000)
