/** What a client's connection did, as lanes of bars: made from its diagnostics. Independent of the DOM, and bounded. */

import type { Diagnostic } from '../index.ts'
import { FIRST_READ } from './lanes.ts'
import { createTicks } from './ticks.ts'

/** One probe of a transport, or one life of the transport that is live. */
export interface Bar {
  readonly lane: string
  readonly kind: 'probe' | 'live'
  readonly from: number
  /** `undefined` while it lasts. */
  to?: number
  outcome: 'running' | 'proved' | 'failed' | 'abandoned' | 'closed'
  /** Why it failed, in a word or two. */
  why?: string
  /** The latest diagnostic about it. */
  about: Diagnostic
}

/** A time in which no transport is tried. */
export interface Pause {
  readonly from: number
  to: number
  readonly label: string
  readonly about: Diagnostic
}

/** One moment. */
export interface Mark {
  readonly at: number
  readonly label: string
}

export interface History {
  readonly bars: readonly Bar[]
  readonly pauses: readonly Pause[]
  readonly marks: readonly Mark[]
  /** When events arrived, by lane: in ms since 1970, rounded. */
  readonly ticks: ReadonlyMap<string, readonly number[]>
  add(diagnostic: Diagnostic): void
  /** Records the arrival of an event, in the lane of the live transport; without one, in that of the first read. */
  tick(at: number): void
  /** Ends the live bars and the pauses: no job is followed any more. What becomes of probes will be told, except where `isAll`: then they end too. */
  rest(at: number, isAll?: boolean): void
}

/** For how long after its end a connection's events are taken. */
const TAKEN_MS = 1000
/** How many bars, pauses and marks are kept of each: the latest. */
const KEPT = 300

function keep<T>(items: T[], item: T): void {
  items.push(item)
  if (items.length > KEPT) items.shift()
}

export function createHistory(): History {
  const bars: Bar[] = []
  const pauses: Pause[] = []
  const marks: Mark[] = []
  const ticks = createTicks()

  const running = (lane: string | undefined, kind: Bar['kind']): Bar | undefined =>
    bars.findLast((bar) => bar.lane === lane && bar.kind === kind && bar.to === undefined)

  function open(kind: Bar['kind'], about: Diagnostic, from: number): Bar {
    const bar: Bar = { lane: about.transport ?? FIRST_READ, kind, from, outcome: 'running', about }
    keep(bars, bar)
    return bar
  }

  function close(bar: Bar | undefined, outcome: Bar['outcome'], at: number, about?: Diagnostic): void {
    if (!bar) return
    bar.to = at
    bar.outcome = outcome
    if (about) bar.about = about
  }

  function endPause(at: number): void {
    for (const pause of pauses) pause.to = Math.min(pause.to, at)
  }

  function probeEnded(diagnostic: Diagnostic & { afterMs: number }, outcome: Bar['outcome']): Bar {
    const bar = running(diagnostic.transport, 'probe') ?? open('probe', diagnostic, diagnostic.at - diagnostic.afterMs)
    close(bar, outcome, diagnostic.at, diagnostic)
    return bar
  }

  function goLive(diagnostic: Diagnostic): void {
    endPause(diagnostic.at)
    if (!running(diagnostic.transport, 'live')) open('live', diagnostic, diagnostic.at)
  }

  function add(diagnostic: Diagnostic): void {
    const { at, transport } = diagnostic
    switch (diagnostic.type) {
      case 'probe-started':
        endPause(at)
        open('probe', diagnostic, at)
        return
      case 'probe-proved':
        probeEnded(diagnostic, 'proved')
        return
      case 'probe-failed':
        probeEnded(diagnostic, 'failed').why = diagnostic.status ? `${diagnostic.reason} ${diagnostic.status}` : diagnostic.reason
        return
      case 'probe-abandoned':
        probeEnded(diagnostic, 'abandoned')
        return
      case 'live':
        goLive(diagnostic)
        return
      case 'switched':
        close(running(diagnostic.from, 'live'), 'closed', at, diagnostic)
        goLive(diagnostic)
        return
      case 'lost': {
        const bar = running(transport, 'live')
        close(bar, 'failed', at, diagnostic)
        if (bar) bar.why = diagnostic.reason
        return
      }
      case 'waiting':
        keep(pauses, { from: at, to: at + diagnostic.ms, label: 'waiting', about: diagnostic })
        return
      case 'offline':
        keep(pauses, { from: at, to: Number.POSITIVE_INFINITY, label: 'offline', about: diagnostic })
        return
      case 'online':
        endPause(at)
        return
      case 'demoted':
        keep(marks, { at, label: 'demoted' })
        return
      case 'suspected':
        keep(marks, { at, label: 'silent?' })
        return
      case 'gap':
        keep(marks, { at, label: 'gap' })
        return
      case 'ended':
        keep(marks, { at, label: diagnostic.status })
        return
      default: // the others appear in the list, not in the picture
    }
  }

  return {
    bars,
    pauses,
    marks,
    ticks: ticks.byLane,
    add,
    tick(at) {
      // The loop takes a job's last events after the connection was closed.
      const isIts = ({ kind, to, outcome }: Bar): boolean => kind === 'live' && (to === undefined || (outcome === 'closed' && to > at - TAKEN_MS))
      ticks.add(bars.findLast(isIts)?.lane ?? FIRST_READ, at)
    },
    rest(at, isAll) {
      endPause(at)
      for (const bar of bars) if (bar.to === undefined && (isAll || bar.kind === 'live')) close(bar, bar.kind === 'live' ? 'closed' : 'abandoned', at)
    }
  }
}
