/** The jobs of a virtual server: logs with epochs and retention, and their listeners. */

import type { Control, Frame, JobSnapshot, JobStatus, WireEvent } from '../../src/protocol/frames.ts'
import { isTerminal } from '../../src/protocol/rules.ts'
import { statusAfter } from '../../src/protocol/status.ts'

interface Log {
  epoch: number
  events: WireEvent[]
  /** How many of the oldest events are no longer retained. */
  dropped: number
}

export interface VirtualLog {
  /** Creates the job if there is none. */
  append(job: string, type?: string, data?: unknown): WireEvent
  /** Appends `progress` events up to this seq. */
  fill(job: string, count: number): void
  /** Creates a job without events. */
  create(job: string): void
  /** Drops all events up to this seq. */
  trim(job: string, seq: number): void
  /** Replaces the log by an empty one with another epoch. */
  rebuild(job: string): void
  has(job: string): boolean
  events(job: string): readonly WireEvent[]
  /** The seq that a reading from cursor `after` begins behind. */
  positionOf(job: string, after: string | undefined): number
  cursorAt(job: string, seq: number): string
  subscribed(job: string, seq: number, ref?: number): Control
  /** The frames behind a seq, with `done` where the log has ended. */
  framesAfter(job: string, seq: number): { frames: Frame[]; seq: number; done: boolean }
  snapshot(job: string): JobSnapshot
  onChange(listener: (job: string) => void): () => void
}

export function createVirtualLog(): VirtualLog {
  const logs = new Map<string, Log>()
  const listeners = new Set<(job: string) => void>()

  const logOf = (job: string): Log => {
    const log = logs.get(job) ?? { epoch: 1, events: [], dropped: 0 }
    logs.set(job, log)
    return log
  }
  const tell = (job: string): void => {
    for (const listener of [...listeners]) listener(job)
  }
  const cursorAt = (job: string, seq: number): string => `e${logOf(job).epoch}-${seq}`
  const statusOf = (job: string): JobStatus => logOf(job).events.reduce<JobStatus>((before, { type }) => statusAfter(type, before), 'queued')
  const hasEnded = (job: string): boolean => isTerminal(logOf(job).events.at(-1)?.type ?? '')

  const log: VirtualLog = {
    append(job, type = 'progress', data = { n: 0 }) {
      const { events } = logOf(job)
      const seq = events.length + 1
      const event: WireEvent = { id: cursorAt(job, seq), seq, job, type, time: '2026-11-21T01:02:03.456Z', data }
      events.push(event)
      tell(job)
      return event
    },
    fill(job, count) {
      for (let seq = logOf(job).events.length + 1; seq <= count; seq += 1) log.append(job, 'progress', { current: seq })
    },
    create: (job) => void logOf(job),
    trim(job, seq) {
      logOf(job).dropped = seq
    },
    rebuild(job) {
      logs.set(job, { epoch: logOf(job).epoch + 1, events: [], dropped: 0 })
    },
    has: (job) => logs.has(job),
    events: (job) => logOf(job).events,
    positionOf(job, after) {
      const { epoch, events, dropped } = logOf(job)
      if (after === 'tail') return events.length
      const [, of, seq] = /^e(\d+)-(\d+)$/.exec(after ?? '') ?? []
      return Number(of) === epoch && Number(seq) <= events.length ? Math.max(dropped, Number(seq)) : dropped
    },
    cursorAt,
    subscribed: (job, seq, ref) => ({
      control: 'subscribed',
      job,
      epoch: `e${logOf(job).epoch}`,
      seq,
      cursor: cursorAt(job, seq),
      status: statusOf(job),
      ...(ref === undefined ? {} : { ref })
    }),
    framesAfter(job, seq) {
      const { events } = logOf(job)
      const done = hasEnded(job)
      const frames: Frame[] = events.slice(seq)
      if (done) frames.push({ control: 'done', job, cursor: cursorAt(job, events.length) })
      return { frames, seq: events.length, done }
    },
    snapshot(job) {
      const { epoch, events } = logOf(job)
      const status = statusOf(job)
      const data = events.at(-1)?.data
      const progress = events.findLast(({ type }) => type === 'progress')?.data
      return {
        id: job,
        status,
        epoch: `e${epoch}`,
        seq: events.length,
        cursor: cursorAt(job, events.length),
        ...(progress ? { progress } : {}),
        ...(status === 'succeeded' ? { result: data } : isTerminal(status) ? { error: data } : {})
      }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    }
  }
  return log
}
