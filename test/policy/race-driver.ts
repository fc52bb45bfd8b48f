/** Carries out what `plan` says, as a connection does, in virtual time. A link is no more than its transport's name. */

import type { Failure, Loss, Race, RacePolicy } from '../../src/policy/race.ts'
import * as racing from '../../src/policy/race.ts'

/** The functions of a race, or mistaken ones in their place. */
export type Rules = typeof racing

export const NAMES: readonly string[] = ['websocket', 'sse', 'long-poll', 'short-poll']

export const failure = (transport: string, status?: number, reason: Failure['reason'] = status === undefined ? 'timeout' : 'status'): Failure => ({
  transport,
  reason,
  status,
  message: status === undefined ? 'no answer' : `answered ${status}`,
  hidesStatus: transport === 'websocket'
})

export interface Driven {
  race: Race
  /** The virtual time, from 0. */
  now: number
  /** Each transport that was opened, as `name@ms`. */
  readonly opened: string[]
  /** When credentials were requested. */
  readonly preparedAt: number[]
  /** Called at each of these two, before anything else happens. */
  onOpened: (transport: string) => void
  onPrepare: () => void
  /** The links that are being tried. */
  readonly probes: Set<string>
  live: string | undefined
  /** Carries out what is due now. */
  run(): void
  /** Lets time pass, and carries out each step at its time. */
  pass(ms: number): void
  /** `null`: it ended without a failure. */
  fail(transport: string, failure?: Failure | null): void
  /** The first frame has come. */
  prove(transport: string): void
  /** The link reads all that is wanted. */
  serve(transport: string): void
  lose(loss?: Partial<Loss>): void
  busy(atLeastMs: number): void
  /** A candidate beside the live link was asked to stay away. */
  busyBeside(transport: string, atLeastMs: number): void
  noCredentials(): void
  wake(): void
  /** The browser reports that it is offline. */
  prolong(ms: number): void
  /** Nobody reads any more: does what a connection does then. */
  letGo(): void
}

/** More steps at one moment than any state needs: an endless loop. */
const MAX_STEPS = 20

export function drive(order: readonly string[] = NAMES, policy: Partial<RacePolicy> = {}, rules: Rules = racing): Driven {
  const full: RacePolicy = { staggerMs: 250, retry: { baseMs: 250, maxMs: 30_000, attempts: Infinity }, random: () => 1, ...policy }

  function drop(): void {
    driven.probes.clear()
    driven.live = undefined
  }

  function goLive(transport: string): void {
    driven.probes.delete(transport)
    driven.live = transport
    driven.race = rules.goneLive(driven.race, transport, driven.now, full)
    for (const name of driven.probes) if (!rules.isBetter(driven.race, name, driven.now)) driven.probes.delete(name)
  }

  /** The time of the next step. */
  function run(): number {
    for (let steps = 0; ; steps += 1) {
      if (steps > MAX_STEPS) throw new Error(`no end of steps: ${JSON.stringify(driven.race)}`)
      const step = rules.plan(driven.race, driven.now)
      switch (step.do) {
        case 'prepare':
          driven.preparedAt.push(driven.now)
          driven.onPrepare()
          driven.race = rules.begin(driven.race, driven.now, full)
          break
        case 'open': {
          const { transport } = step
          if (driven.probes.has(transport) || driven.live === transport) throw new Error(`${transport} is open already`)
          driven.race = rules.opened(driven.race, driven.now, full)
          driven.probes.add(transport)
          driven.opened.push(`${transport}@${driven.now}`)
          driven.onOpened(transport)
          break
        }
        case 'wait':
          if (step.until <= driven.now) throw new Error('a wait until what is over')
          if (step.until === Infinity && driven.probes.size === 0 && driven.live === undefined && driven.race.order.length > 0)
            throw new Error(`waits for nothing: ${JSON.stringify(driven.race)}`)
          return step.until
        case 'stop':
          return Infinity
      }
    }
  }

  const driven: Driven = {
    race: rules.raceOf(order),
    now: 0,
    opened: [],
    preparedAt: [],
    onOpened() {},
    onPrepare() {},
    probes: new Set(),
    live: undefined,
    run,
    pass(ms) {
      const end = driven.now + ms
      for (let next = run(); next <= end; next = run()) driven.now = next
      driven.now = end
      run()
    },
    fail(transport, why = failure(transport)) {
      driven.probes.delete(transport)
      driven.race = rules.probeEnded(driven.race, transport, why ?? undefined, driven.now, full)
      run()
    },
    prove(transport) {
      if (driven.live === undefined) goLive(transport)
      run()
    },
    serve(transport) {
      if (driven.live !== transport && rules.isBetter(driven.race, transport, driven.now)) goLive(transport)
      run()
    },
    lose(loss) {
      drop()
      driven.race = rules.lost(driven.race, { livedMs: 200, events: 0, byeMs: undefined, ...loss }, driven.now, full)
      run()
    },
    busy(atLeastMs) {
      const favourite = driven.live ?? driven.race.favourite
      drop()
      driven.race = rules.paused(driven.race, atLeastMs, favourite, driven.now, full)
      run()
    },
    busyBeside(transport, atLeastMs) {
      driven.race = rules.upgradePaused(driven.race, atLeastMs, driven.now)
      driven.fail(transport, failure(transport, 503))
    },
    noCredentials() {
      driven.race = rules.nobodyDelivered({ ...driven.race, failed: [failure('token', undefined, 'network')] }, driven.now, full)
      run()
    },
    wake() {
      driven.race = rules.woken(driven.race, driven.now)
      run()
    },
    prolong(ms) {
      driven.race = rules.prolonged(driven.race, ms, driven.now)
      run()
    },
    letGo() {
      drop()
      if (driven.race.phase.kind !== 'waiting' || !driven.race.phase.byServer) driven.race = rules.restarted(driven.race)
    }
  }
  return driven
}
