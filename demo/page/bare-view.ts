/** The state of a bare connection, and its card's words for it. Independent of the DOM. */

import type { JobEvent } from 'jobtail'
import { isEnd } from './job-view.ts'

export interface BareView {
  readonly startedAt: number
  /** The number of the last event; 0 before the first one. */
  readonly seq: number
  /** 0 to 1. */
  readonly ratio: number
  readonly lastAt: number | undefined
  /** The longest time between two events. */
  readonly silenceMs: number
  readonly connection: 'connecting' | 'open' | 'reconnecting' | 'closed'
  /** How often the connection has opened. */
  readonly opened: number
  /** True when it has received the job's terminal event. */
  readonly hasEnd: boolean
}

/** The words of its card. */
export interface BareWords {
  readonly state: 'connecting' | 'receiving' | 'stopped' | 'ended'
  readonly headline: string
  readonly detail: string
  /** How far it is behind Jobtail; empty if it is not. */
  readonly behind: string
}

/** Where Jobtail is in the same job: the number of its last event. */
export interface Leader {
  readonly seq: number
}

/** A connection that is behind Jobtail counts as stopped after this long without an event. */
export const STOPPED_MS = 2000

export const emptyBareView = (startedAt: number): BareView => ({
  startedAt,
  seq: 0,
  ratio: 0,
  lastAt: undefined,
  silenceMs: 0,
  connection: 'connecting',
  opened: 0,
  hasEnd: false
})

export function withBareEvent(view: BareView, event: JobEvent, at: number): BareView {
  return {
    ...view,
    seq: event.seq,
    ratio: event.type === 'succeeded' ? 1 : event.type === 'progress' ? (event.data.ratio ?? ratioOf(event.data)) : view.ratio,
    lastAt: at,
    silenceMs: Math.max(view.silenceMs, view.lastAt === undefined ? 0 : at - view.lastAt),
    hasEnd: isEnd(event.type)
  }
}

const ratioOf = ({ current, total }: { current?: number; total?: number }): number => (current === undefined || !total ? 0 : current / total)

export function withConnection(view: BareView, connection: BareView['connection']): BareView {
  return { ...view, connection, opened: view.opened + (connection === 'open' ? 1 : 0) }
}

export function inWords(view: BareView, kind: 'EventSource' | 'WebSocket', leader: Leader, now: number): BareWords {
  const again = view.opened > 1 ? `It reconnected by itself${view.opened > 2 ? ` ${view.opened - 1} times` : ''}.` : ''
  if (view.hasEnd) {
    const late = view.silenceMs >= STOPPED_MS ? `It was silent for ${seconds(view.silenceMs)}.` : ''
    return { state: 'ended', headline: 'finished', detail: [late, again].filter(Boolean).join(' '), behind: '' }
  }
  const silentMs = now - (view.lastAt ?? view.startedAt)
  const missing = leader.seq - view.seq
  if (missing > 0 && silentMs >= STOPPED_MS) {
    const behind = `${missing.toLocaleString('en')} ${missing === 1 ? 'event' : 'events'} behind.`
    return { state: 'stopped', headline: `stopped ${seconds(silentMs)} ago`, detail: why(view, kind), behind }
  }
  return view.seq === 0
    ? { state: 'connecting', headline: 'connecting…', detail: '', behind: '' }
    : { state: 'receiving', headline: 'receiving', detail: again, behind: '' }
}

function why({ connection }: BareView, kind: 'EventSource' | 'WebSocket'): string {
  switch (connection) {
    case 'open':
      return 'It is still open and reports no error.'
    case 'connecting':
      return 'It has not opened.'
    case 'reconnecting':
      return 'The browser tries to reconnect.'
    case 'closed':
      return kind === 'WebSocket' ? 'It was closed. Nothing opens it again.' : 'It got an error, and the browser gave up.'
    default:
      return connection satisfies never
  }
}

const seconds = (ms: number): string => `${Math.floor(ms / 1000)} s`
