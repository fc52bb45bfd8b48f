/** Statistics of a run. */

import type { Fault, Kind } from './faults.ts'
import type { Report } from './play.ts'

const FAULTS: readonly Fault[] = [
  ...(['refused', 'unanswered', 'killed', 'mute', 'buffered', 'cut', 'gateway-timeout', 'portal', 'stalled', 'slow-path', 'repeated-answer'] as const),
  ...(['not-found', 'login', 'too-many', 'no-content', 'redirected', 'ignorant-cache', 'stripped', 'sent-again', 'long-hidden', 'window'] as const),
  ...(['reset', 'dead', 'busy', 'job-busy', 'new-token', 'revoked', 'restart', 'trimmed', 'replaced', 'said-again', 'bye', 'mux'] as const),
  ...(['forbidden', 'expired', 'offline', 'page-cache', 'frozen', 'sleep', 'hidden', 'network-change'] as const),
  ...(['leave', 'slow-reader', 'delivered-twice', 'overtaken'] as const)
]
const KINDS = ['websocket', 'sse', 'long-poll', 'json'] as const

/** What readers do, or what happens by itself. These don't count as faults. */
const NO_FAULTS: readonly Fault[] = ['leave', 'window', 'slow-reader', 'delivered-twice', 'overtaken']

export interface Tally {
  add(report: Report): void
  /** The faults that took effect in less than one of twenty schedules, and whether the median schedule has too few. */
  shortcomings(): string[]
  table(): string
}

const medianOf = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0

export function createTally(): Tally {
  const all = new Map<Fault, number>()
  const byKind = new Map<string, number>()
  const faults: number[] = []
  const most = { recoveryMs: 0, endMs: 0, busiest: 0, postponed: 0, hopeless: 0, timers: 0, connections: 0 }
  const sums = { events: 0, connections: 0 }

  const count = <K>(map: Map<K, number>, key: K): void => void map.set(key, (map.get(key) ?? 0) + 1)

  return {
    add({ hits, events, connections, ...rest }) {
      const felt = new Set<unknown>()
      const seen = new Map<unknown, Set<string>>()
      for (const { fault, kind, step } of hits) {
        // Counted once for each step; without a step, once for each schedule.
        const source = step ?? fault
        const known = seen.get(source) ?? new Set()
        if (known.size === 0) count(all, fault)
        if (!NO_FAULTS.includes(fault)) felt.add(source)
        const column = `${fault} ${kind}`
        if (!known.has(column)) count(byKind, column)
        seen.set(source, known.add(fault).add(column))
      }
      faults.push(felt.size)
      sums.events += events
      sums.connections += connections
      for (const name of ['recoveryMs', 'endMs', 'busiest', 'postponed', 'hopeless', 'timers'] as const) most[name] = Math.max(most[name], rest[name])
      most.connections = Math.max(most.connections, connections)
    },
    shortcomings() {
      const rare = FAULTS.filter((fault) => (all.get(fault) ?? 0) < faults.length / 20).map((fault) => `${fault}: only ${all.get(fault) ?? 0} times`)
      return medianOf(faults) < 3 ? [...rare, 'less than three faults in the median schedule'] : rare
    },
    table() {
      const rows = [...all].sort(([, a], [, b]) => b - a)
      const cells = (fault: Fault): string => KINDS.map((kind: Kind) => String(byKind.get(`${fault} ${kind}`) ?? '').padStart(10)).join('')
      return [
        `${'felt'.padEnd(18)}${'in all'.padStart(8)}${KINDS.map((kind) => kind.padStart(10)).join('')}`,
        ...rows.map(([fault, total]) => `${fault.padEnd(18)}${String(total).padStart(8)}${cells(fault)}`),
        `faults felt in a schedule: median ${medianOf(faults)}, least ${faults[0]}, most ${faults.at(-1)}`,
        `${sums.events} events, ${sums.connections} connections; at most ${most.connections} in a schedule, ${most.busiest} of a client in vain in 10 s; told ${most.postponed} times to come back later; ${most.hopeless} tries where nothing lasts; ${most.timers} timers in a second`,
        `well again after at most ${Math.round(most.recoveryMs)} ms, ended after at most ${Math.round(most.endMs)} ms`
      ].join('\n')
    }
  }
}
