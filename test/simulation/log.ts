/** The simulated server's logs. They keep everything that they ever held, to compare the readers with. */

import type { JobSnapshot, JobStatus, WireEvent } from '../../src/protocol/frames.ts'
import { isTerminal, TAIL } from '../../src/protocol/rules.ts'
import { statusAfter } from '../../src/protocol/status.ts'

export interface Epoch {
  readonly name: string
  readonly events: WireEvent[]
  /** How many of the oldest events are dropped now, and each number that ever was. */
  dropped: number
  readonly wereDropped: Set<number>
}

export interface Place {
  epoch: Epoch
  seq: number
}

export interface Log {
  readonly job: string
  /** The last one is the current one. */
  readonly epochs: Epoch[]
  readonly epoch: Epoch
  readonly ended: boolean
  /** The status of readers' requests, where they are refused. */
  refusal: 403 | 410 | undefined
  append(type: string, data?: unknown): void
  /** Drops all but the last events. */
  trim(keep: number): boolean
  /** Begins a new epoch with so many of the events. */
  rebuild(keep: number): void
  /** Where a reading from that cursor begins. */
  placeOf(after: string | undefined): Place
  status(seq?: number): JobStatus
  snapshot(): JobSnapshot
}

export const cursorOf = ({ epoch, seq }: Place): string => `${epoch.name}-${seq}`

export function createLog(job: string, onChange: (log: Log) => void): Log {
  const newEpoch = (number: number): Epoch => ({ name: `e${number}`, events: [], dropped: 0, wereDropped: new Set([0]) })
  const epochs = [newEpoch(1)]
  const present = (): Epoch => epochs.at(-1) as Epoch // as: there is always one
  const hasEnded = (): boolean => isTerminal(present().events.at(-1)?.type ?? '')

  function add(epoch: Epoch, type: string, data: unknown): void {
    const seq = epoch.events.length + 1
    epoch.events.push({ id: cursorOf({ epoch, seq }), seq, job, type, time: '2026-11-21T01:02:03.456Z', data })
  }

  const log: Log = {
    job,
    epochs,
    get epoch() {
      return present()
    },
    get ended() {
      return hasEnded()
    },
    refusal: undefined,
    append(type, data = null) {
      if (hasEnded()) return
      add(present(), type, data)
      onChange(log)
    },
    trim(keep) {
      const epoch = present()
      const dropped = epoch.events.length - keep
      if (dropped <= epoch.dropped) return false
      epoch.dropped = dropped
      epoch.wereDropped.add(dropped)
      onChange(log)
      return true
    },
    rebuild(keep) {
      const { events } = present()
      const epoch = newEpoch(epochs.length + 1)
      for (const { type, data } of events.slice(0, keep)) add(epoch, type, data)
      if (epoch.events.length === 0) add(epoch, 'queued', null)
      epochs.push(epoch)
      onChange(log)
    },
    placeOf(after) {
      const epoch = present()
      const { events, dropped } = epoch
      if (after === TAIL) return { epoch, seq: events.length }
      const [, of, seq] = /^(e\d+)-(\d+)$/.exec(after ?? '') ?? []
      return { epoch, seq: of === epoch.name && Number(seq) <= events.length ? Math.max(dropped, Number(seq)) : dropped }
    },
    status: (seq = present().events.length) =>
      present()
        .events.slice(0, seq)
        .reduce<JobStatus>((before, { type }) => statusAfter(type, before), 'queued'),
    snapshot() {
      const epoch = present()
      const seq = epoch.events.length
      const status = log.status()
      const last = epoch.events.at(-1)?.data
      const end = status === 'succeeded' ? { result: last } : isTerminal(status) ? { error: last } : {}
      return { id: job, status, epoch: epoch.name, seq, cursor: cursorOf({ epoch, seq }), ...end }
    }
  }
  return log
}
