/** Plays one schedule to its end, and checks what happened against what is promised. */

import { checkEnd } from './check.ts'
import { clock } from './clock.ts'
import { describeStep } from './faults.ts'
import { type Follower, leave } from './follower.ts'
import { page } from './page.ts'
import { appendProgress, endJob, perform } from './perform.ts'
import { checkBackoff, checkNothingLeft, checkQuiet, checkSilence, createWatch, describeHang } from './rules.ts'
import { JOBS, type Schedule } from './schedule.ts'
import { createWorld, GRACE_MS, type Hit, type Trace, type World } from './world.ts'
import { Wrong } from './wrong.ts'

/** How long it may take at most until every reader is up to date, once all faults are over, */
const MAX_RECOVERY_MS = 180_000
/** and until every reader has ended, once the jobs have. */
const MAX_END_MS = 120_000
const QUIET_SECONDS = 6
const CATCH_UP_MS = 20_000
/** The most connections without an event that a client may open within ten seconds. */
const MAX_IN_VAIN = 150
/** How often one kind of stream may be told the same end of a pause: once in each race, and once more where a lesser one is still live. */
const MAX_POSTPONED = 5

export interface Report {
  hits: readonly Hit[]
  events: number
  connections: number
  recoveryMs: number
  endMs: number
  /** The most connections without an event that one client opened within ten seconds. */
  busiest: number
  /** How often one kind of request was told the same end of a pause, at most. */
  postponed: number
  /** The most tries of one transport while no connection lasted. */
  hopeless: number
  /** The most timers that fired within one second. */
  timers: number
}

const rejections: unknown[] = []
process.on('unhandledRejection', (reason) => rejections.push(reason))

const errors: unknown[][] = []
export function silence(): void {
  console.warn = () => {}
  console.error = (...args: unknown[]) => errors.push(args)
}

export async function play(schedule: Schedule, trace: Trace = () => {}): Promise<Report> {
  rejections.length = errors.length = 0
  const world = createWorld(schedule, (what) => trace(`${clock.now.toFixed(1).padStart(9)} ${what}`))
  const { setup, steps } = schedule
  const [late] = JOBS.slice(-1)
  const createLate = (): void => {
    if (!late || world.server.logs.has(late)) return
    world.createdAt = clock.now
    world.server.create(late).append('queued')
  }
  clock.after(setup.lateMs, createLate)
  const watch = createWatch(world, setup)
  const stopWork = work(world, setup.everyMs)
  for (const step of steps) {
    await pass(step.afterMs, watch)
    trace(`---- ${describeStep(step)}`)
    perform(step, world)
    // Chrome throttles timers to one a minute only after five minutes.
    while (step.do === 'long-hidden' && page.isHidden) await pass(10_000, watch)
  }
  await pass(1000, watch)
  stopWork()

  trace('---- all is well again')
  heal(world)
  createLate()
  const recoveryMs = await recover(world)
  // Single reads for a slow reader are small, and take their time.
  if (setup.bufferBytes < 2 ** 22) await pass(CATCH_UP_MS, watch)
  // On a slow path a single read beside a link takes longer than that.
  if (!setup.farMs) await checkQuiet(world, QUIET_SECONDS)
  let hopeless = 0
  if (setup.hopelessMs) {
    trace('---- all that is open dies')
    await checkSilence(world, setup)
    trace('---- nothing lasts')
    hopeless = await checkBackoff(world, setup)
    heal(world)
    await recover(world)
  }
  trace('---- all jobs end')
  const endMs = await end(world)
  const { followers, server } = world
  for (const follower of followers) {
    const log = server.logs.get(follower.job)
    const others = followers.filter(({ job, client }) => job === follower.job && client === follower.client)
    const askedAt = Math.min(...others.map(({ startedAt }) => startedAt))
    const createdAt = follower.job === late ? world.createdAt : 0
    if (log)
      await checkEnd(follower, log, {
        isRevoked: world.isRevoked,
        createdAt,
        askedAt,
        graceMs: GRACE_MS,
        statuses: world.statusesFor(follower.client),
        attempts: world.attempts
      })
  }
  const busiest = busiestOf(world)
  if (busiest > MAX_IN_VAIN) throw new Wrong('connections', `a client opened ${busiest} connections in vain within ${WINDOW_MS} ms`)
  const postponed = Math.max(0, ...world.postponed.values())
  if (postponed > MAX_POSTPONED) throw new Wrong('Retry-After', `a client was told ${postponed} times not to come back before one time`)
  await checkNothingLeft(world)
  if (rejections.length > 0) throw new Wrong('console', `an unhandled rejection: ${rejections[0]}`)
  if (errors.length > 0) throw new Wrong('console', `console.error: ${errors[0]?.join(' ')}`)
  return {
    hits: world.hits,
    events: followers.reduce((sum, { events }) => sum + events.length, 0),
    connections: world.network.opened.length,
    recoveryMs,
    endMs,
    busiest,
    postponed,
    hopeless,
    timers: clock.busiest
  }
}

async function pass(ms: number, check: () => void): Promise<void> {
  for (const until = clock.now + ms; clock.now < until; check()) await clock.runUntil(Math.min(until, clock.now + 1000))
}

/** Appends events to every job until it is stopped. */
function work({ server }: World, everyMs: number): () => void {
  let callOff = (): void => {}
  const next = (): void => {
    for (const log of server.logs.values()) appendProgress(log)
    callOff = clock.after(page.isHidden ? Math.max(everyMs, 3000) : everyMs, next)
  }
  if (everyMs) callOff = clock.after(everyMs, next)
  return () => callOff()
}

function heal({ network, server, followers }: World): void {
  network.heal()
  server.isDown = false
  server.busyUntil = 0
  page.comeBack()
  for (const { hurry } of followers) hurry()
}

/** Whether it is so for every follower. Followers whose client was asked to pause for weeks are released instead. */
function areAll({ followers, silentUntil }: World, isSo: (follower: Follower) => boolean): boolean {
  const rest = followers.filter((follower) => !isSo(follower))
  for (const follower of rest) if (silentUntil(follower.client) > clock.now + MAX_RECOVERY_MS) leave(follower, 'close')
  return rest.length === 0
}

/** Waits until every follower is up to date. */
async function recover(world: World): Promise<number> {
  const { server, followers } = world
  const at = clock.now
  for (const log of server.logs.values()) appendProgress(log)
  const isWell = ({ state, by, events, job, subscription, left }: Follower): boolean => {
    if (state !== 'running' || left) return true
    const log = server.logs.get(job)
    if (log?.ended || world.isRevoked || log?.refusal) return false
    if (by === 'onChange') return subscription.state.status !== 'unknown'
    return by === 'result' || events.at(-1)?.id === log?.epoch.events.at(-1)?.id || (events.length === 0 && subscription.state.connection.phase === 'live')
  }
  await clock.runUntil(at + MAX_RECOVERY_MS, () => areAll(world, isWell))
  const ill = followers.filter((follower) => !isWell(follower))
  if (ill.length > 0) throw new Wrong('progress', `${MAX_RECOVERY_MS} ms after everything was well again: ${describeHang(ill, world)}`)
  return clock.now - at
}

async function end(world: World): Promise<number> {
  const { server, followers } = world
  const at = clock.now
  for (const log of server.logs.values()) endJob(log)
  const isOver = (): boolean => areAll(world, ({ state }) => state !== 'running')
  await clock.runUntil(at + MAX_END_MS, isOver)
  if (!isOver())
    throw new Wrong(
      'progress',
      `${MAX_END_MS} ms after all jobs had ended: ${describeHang(
        followers.filter(({ state }) => state === 'running'),
        world
      )}`
    )
  return clock.now - at
}

const WINDOW_MS = 10_000

function busiestOf({ network, clients, useful }: World): number {
  let most = 0
  for (const number of clients.keys()) {
    const times = network.opened.filter((each) => each.client === number && !useful.has(each.number)).map(({ openedAt }) => openedAt)
    let first = 0
    times.forEach((time, index) => {
      while ((times[first] ?? time) < time - WINDOW_MS) first += 1
      most = Math.max(most, index - first + 1)
    })
  }
  return most
}
