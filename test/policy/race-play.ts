/** Plays random events to a race and checks what it does against its promises, which are written here a second time, in another form. */

import { type Driven, drive, failure, NAMES, type Rules } from './race-driver.ts'

const STAGGER_MS = 250
const BASE_MS = 250
const MAX_MS = 30_000
const DEPLOY_MS = 180_000
const MAX_UPGRADE_MS = 45_000
const USEFUL_MS = 5000

export function play(tape: Iterable<number>, rules: Rules): void {
  const chances = tape[Symbol.iterator]()
  const draw = (below: number): number => (chances.next().value ?? 0) % below
  const pick = <T>(...from: readonly T[]): T => from[draw(from.length)] as T // as: it is one of them
  const attempts = pick(Infinity, Infinity, 1, 3)
  const driven: Driven = drive(NAMES, { staggerMs: STAGGER_MS, retry: { baseMs: BASE_MS, maxMs: MAX_MS, attempts }, random: () => (1 + draw(99)) / 100 }, rules)

  /** What this race has opened, and the failures that have a vote. */
  let tried: string[] = []
  let votes: (number | undefined)[] = []
  /** When the next candidate may start: the stagger after the one before, or now. */
  let nextAt = 0
  let fruitless = 0
  let liveAt = -Infinity
  /** The pauses that the server asked for: of everything, and of what is tried beside the live link. */
  let silentUntil = -Infinity
  let besideSilentUntil = -Infinity
  let shortLives: Record<string, number> = {}
  let demotedUntil: Record<string, number> = {}
  /** The transports that were demoted when the race began. */
  let demoted: string[] = []
  let favourite: string | undefined

  function check(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}, at ${driven.now} ms: ${JSON.stringify(driven.race)}, opened ${driven.opened.join(' ')}`)
  }

  driven.onPrepare = () => {
    check(driven.now >= silentUntil, `a race begins in a silence that lasts until ${silentUntil}`)
    check(driven.live === undefined || driven.now >= besideSilentUntil, `better ones are tried in a silence that lasts until ${besideSilentUntil}`)
    if (driven.live === undefined) {
      tried = []
      votes = []
    }
    nextAt = driven.now
    demoted = NAMES.filter((name) => (demotedUntil[name] ?? 0) > driven.now)
  }

  driven.onOpened = (transport) => {
    check(driven.now >= nextAt, `${transport} is opened before ${nextAt}`)
    nextAt = driven.now + STAGGER_MS
    const isDemoted = demoted.includes(transport)
    if (driven.live === undefined) {
      check(
        tried.every((name) => name !== transport),
        `${transport} is opened twice in a race`
      )
      check(favourite === undefined || tried.length > 0 || transport === favourite, `${transport} is opened before ${favourite}`)
      if (transport !== favourite && isDemoted)
        check(
          NAMES.every((name) => demoted.includes(name) || tried.includes(name)),
          `${transport} is demoted, and opened before others`
        )
    } else {
      const { live } = driven
      const ranks = [...NAMES].sort((a, b) => Number(demoted.includes(a)) - Number(demoted.includes(b)))
      check(ranks.indexOf(transport) < ranks.indexOf(live), `${transport} is no better than ${live}`)
    }
    tried.push(transport)
  }

  function fail(transport: string, reason: 'status' | 'mute' | 'timeout'): void {
    const status = reason === 'status' ? pick(404, 404, 404, 403, 503) : undefined
    if (reason === 'mute') recordShortLife(transport)
    if (transport !== 'websocket') votes.push(status)
    if ([...driven.probes].at(-1) === transport) nextAt = driven.now
    const isLast = driven.live === undefined && driven.race.queue.length === 0 && driven.probes.size === 1
    const isUnanimous = votes.length > 0 && votes[0] !== undefined && votes[0] < 500 && votes.every((each) => each === votes[0])
    const before = driven.now
    driven.fail(transport, failure(transport, status, reason))
    if (!isLast) return check(driven.race.phase.kind !== 'stopped', 'stopped, although something goes on')
    check(
      NAMES.every((name) => tried.includes(name)),
      'over, although not everything was tried'
    )
    fruitless += 1
    const { phase } = driven.race
    if (isUnanimous && before - liveAt >= DEPLOY_MS)
      check(phase.kind === 'stopped' && phase.status === votes[0], `not over, although every path said ${votes[0]}`)
    else if (fruitless >= attempts) check(phase.kind === 'stopped' && phase.status === undefined, 'not over, although the attempts are used up')
    else expectPause('unreachable')
    if (phase.kind === 'stopped') startAnew()
  }

  /** Checks that a pause is no longer than the failures allow. */
  function expectPause(reason: string, atMostMs = 0): void {
    const { phase } = driven.race
    const mostMs = Math.max(atMostMs, Math.min(MAX_MS, BASE_MS * 2 ** Math.max(0, fruitless - 1)))
    check(phase.kind === 'waiting' && phase.reason === reason && phase.ms <= mostMs, `expected a pause of at most ${mostMs} ms: ${reason}`)
  }

  /** What a connection does once it has failed every reader. */
  function startAnew(): void {
    driven.race = rules.raceOf(NAMES)
    fruitless = 0
    liveAt = silentUntil = besideSilentUntil = -Infinity
    shortLives = {}
    demotedUntil = {}
    favourite = undefined
    driven.run()
  }

  function recordShortLife(transport: string): void {
    const count = (shortLives[transport] ?? 0) + 1
    shortLives[transport] = count
    if (count >= 2) demotedUntil[transport] = driven.now + Math.min(1_800_000, 60_000 * 2 ** (count - 2))
  }

  function goLive(transport: string, does: (transport: string) => void): void {
    const before = driven.live
    does(transport)
    if (driven.live === before) return
    favourite = driven.live
    liveAt = driven.now
  }

  function lose(): void {
    const { live = '' } = driven
    const livedMs = pick(200, 4999, USEFUL_MS, 60_000)
    const events = pick(0, 1, 3)
    const byeMs = pick(undefined, undefined, 0, 4000)
    const isUseful = livedMs >= USEFUL_MS || (byeMs === 0 && events > 0)
    fruitless = isUseful || events > 0 ? 0 : fruitless + 1
    favourite = isUseful || byeMs !== undefined ? live : undefined
    liveAt = driven.now
    if (isUseful) shortLives[live] = demotedUntil[live] = 0
    else if (byeMs === undefined) recordShortLife(live)
    driven.lose({ livedMs, events, byeMs })
    const { phase } = driven.race
    if (isUseful && !byeMs) check(phase.kind === 'racing' && driven.preparedAt.at(-1) === driven.now, 'no race at once after a useful life')
    else if (isUseful) expectPause('bye', byeMs)
    else if (fruitless > 0 && fruitless >= attempts) check(phase.kind === 'stopped', 'not over, although the attempts are used up')
    else expectPause('unstable', byeMs)
    if (phase.kind === 'waiting' && phase.byServer) silentUntil = phase.until
    if (phase.kind === 'stopped') startAnew()
  }

  function busy(): void {
    const atLeastMs = pick(0, 5000, 60_000, 2_592_000_000)
    silentUntil = driven.now + atLeastMs
    fruitless += 1
    driven.busy(atLeastMs)
    if (driven.race.phase.kind === 'waiting') silentUntil = Math.max(silentUntil, driven.race.phase.until)
  }

  function busyBeside(transport: string): void {
    if (transport === driven.live || driven.live === undefined) return
    const atLeastMs = pick(0, 5000, 60_000)
    besideSilentUntil = Math.max(besideSilentUntil, driven.now + atLeastMs)
    if (transport !== 'websocket') votes.push(503)
    nextAt = driven.now
    driven.busyBeside(transport, atLeastMs)
  }

  const withProbe = (act: (transport: string) => void): void => {
    if (driven.probes.size > 0) act(pick(...driven.probes))
  }

  /** The network is gone for several races. */
  function failRaces(): void {
    for (let races = draw(12); races > 0 && driven.live === undefined; races -= 1) {
      for (let candidates = NAMES.length; candidates > 0; candidates -= 1) for (const name of [...driven.probes].slice(0, 1)) fail(name, 'timeout')
      driven.pass(MAX_MS)
    }
  }

  const steps: readonly (() => void)[] = [
    () => driven.pass(draw(300)),
    () => driven.pass(draw(300)),
    () => driven.pass(1000 * draw(60)),
    () => driven.pass(1000 * draw(60)),
    () => driven.pass(120_000),
    () => withProbe((name) => fail(name, 'status')),
    () => withProbe((name) => fail(name, 'status')),
    () => withProbe((name) => fail(name, 'status')),
    () => withProbe((name) => fail(name, pick('timeout', 'mute'))),
    () => draw(4) === 0 && failRaces(),
    () => withProbe((name) => goLive(name, driven.prove)),
    () => withProbe((name) => goLive(name, driven.serve)),
    () => driven.live !== undefined && lose(),
    () => draw(4) === 0 && busy(),
    () => withProbe(busyBeside),
    () => driven.wake(),
    () => driven.prolong(MAX_MS),
    () => draw(4) === 0 && driven.letGo()
  ]

  /** What must hold whenever nothing is due. */
  function checkRest(): void {
    const { race, now, live, probes } = driven
    const { phase, queue, probing } = race
    check((phase.kind === 'live' ? phase.transport : undefined) === live, 'the race and what is open don’t agree on what is live')
    check(JSON.stringify(probing) === JSON.stringify([...probes]), 'the race and what is open don’t agree on what is tried')
    check(new Set([...queue, ...probing, live]).size === queue.length + probing.length + 1, 'something is tried or live, and yet to be started')
    if (phase.kind === 'racing') check(queue.length === 0 || nextAt > now, `the next one was to start at ${nextAt}`)
    if (phase.kind === 'waiting') check(phase.until > now && phase.until <= now + phase.ms, 'it waits longer than it says')
    if (phase.kind !== 'live') return
    const isDemoted = (name: string): number => Number((demotedUntil[name] ?? 0) > now)
    const ranks = [...NAMES].sort((a, b) => isDemoted(a) - isDemoted(b))
    const untried = ranks.slice(0, ranks.indexOf(phase.transport)).filter((name) => !queue.includes(name) && !probing.includes(name))
    check(
      untried.length === 0 || Math.max(phase.upgradeAt, besideSilentUntil) - now <= Math.max(MAX_UPGRADE_MS, besideSilentUntil - now),
      'better ones are given up'
    )
    check(untried.length === 0 || phase.upgradeAt - now <= MAX_UPGRADE_MS, 'better ones are not tried within 45 s')
  }

  driven.run()
  for (let next = chances.next(); !next.done; next = chances.next()) {
    steps[next.value % steps.length]?.()
    driven.run()
    checkRest()
  }
}
