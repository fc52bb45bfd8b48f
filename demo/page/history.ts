/** The contents of a timeline, made from diagnostics. Independent of the DOM. */

import type { Diagnostic } from 'jobtail'
import { FIRST_READ } from './lanes.ts'

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

/** An event of one moment, such as a click of the user. */
export interface Mark {
  readonly at: number
  readonly label: string
}

export interface History {
  readonly bars: readonly Bar[]
  readonly pauses: readonly Pause[]
  readonly marks: readonly Mark[]
  /** The arrival times of events, by lane. */
  readonly ticks: ReadonlyMap<string, readonly number[]>
  add(diagnostic: Diagnostic): void
  /** Records the arrival of an event, in the lane of the live transport; without one, in that of the first read. */
  tick(at: number): void
  mark(at: number, label: string): void
  /** Ends the live bars: no job is followed any more. */
  rest(at: number): void
  /** Drops what ended before `at`. */
  forget(at: number): void
}

export function createHistory(): History {
  let bars: Bar[] = []
  let pauses: Pause[] = []
  let marks: Mark[] = []
  const ticks = new Map<string, number[]>()

  const running = (lane: string | undefined, kind: Bar['kind']): Bar | undefined =>
    bars.findLast((bar) => bar.lane === lane && bar.kind === kind && bar.to === undefined)

  function open(kind: Bar['kind'], about: Diagnostic, from: number): Bar {
    const bar: Bar = { lane: about.transport ?? FIRST_READ, kind, from, outcome: 'running', about }
    bars.push(bar)
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
        pauses.push({ from: at, to: at + diagnostic.ms, label: 'waiting', about: diagnostic })
        return
      case 'offline':
        pauses.push({ from: at, to: Number.POSITIVE_INFINITY, label: 'offline', about: diagnostic })
        return
      case 'online':
        endPause(at)
        return
      case 'suspected':
        marks.push({ at, label: 'silent?' })
        return
      case 'gap':
        marks.push({ at, label: 'gap' })
        return
      case 'ended':
        marks.push({ at, label: diagnostic.status })
        return
      default: // the others appear in the list, not in the picture
    }
  }

  return {
    get bars() {
      return bars
    },
    get pauses() {
      return pauses
    },
    get marks() {
      return marks
    },
    ticks,
    add,
    tick(at) {
      const lane = bars.findLast((bar) => bar.kind === 'live' && bar.to === undefined)?.lane ?? FIRST_READ
      const lines = ticks.get(lane) ?? []
      lines.push(at)
      ticks.set(lane, lines)
    },
    mark: (at, label) => marks.push({ at, label }),
    rest(at) {
      for (const bar of bars) if (bar.kind === 'live' && bar.to === undefined) close(bar, 'closed', at)
    },
    forget(at) {
      bars = bars.filter((bar) => bar.to === undefined || bar.to >= at)
      pauses = pauses.filter((pause) => pause.to >= at)
      marks = marks.filter((mark) => mark.at >= at)
      for (const [lane, lines] of ticks)
        ticks.set(
          lane,
          lines.filter((line) => line >= at)
        )
    }
  }
}
