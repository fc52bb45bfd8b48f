/** The jobs of the scripted server: each an array of events with cursors `e-{seq}`. */

import type { Control, Frame, JobStatus, ReadingJob, WireEvent } from '../../src/protocol/frames.ts'
import { isStatus, isTerminal } from '../../src/protocol/rules.ts'

/** A reading's position in each of its jobs. */
export type Positions = Map<string, number>

export interface ScriptedLog {
  append(job: string, type?: string, data?: unknown): WireEvent
  positionOf(job: string, after: string | null | undefined): number
  isAtEnd(job: string, position: number): boolean
  hasNews(positions: Positions): boolean
  subscribed(job: string, seq: number, ref?: number): Control
  member(job: string, from: number, position: number): ReadingJob
  /** The new events, up to `limit` per job. Moves the positions, and removes jobs that have ended. */
  news(positions: Positions, limit?: number): Frame[]
}

const idAt = (position: number): string => `e-${position}`

export function createScriptedLog(): ScriptedLog {
  const logs = new Map<string, WireEvent[]>()
  const eventsOf = (job: string): WireEvent[] => logs.get(job) ?? []
  const statusOf = (job: string): JobStatus => {
    const type = eventsOf(job).at(-1)?.type
    return isStatus(type) ? type : 'running'
  }
  const isAtEnd = (job: string, position: number): boolean => isTerminal(statusOf(job)) && position === eventsOf(job).length
  const place = (job: string, seq: number) => ({ job, epoch: 'e', seq, status: statusOf(job) })

  return {
    append(job, type = 'progress', data = {}) {
      const events = eventsOf(job)
      logs.set(job, events)
      const seq = events.length + 1
      const event = { id: idAt(seq), seq, job, type, time: new Date().toISOString(), data }
      events.push(event)
      return event
    },
    positionOf: (job, after) => (after === 'tail' ? eventsOf(job).length : Number(after?.slice(2) || 0)),
    isAtEnd,
    hasNews: (positions) => [...positions].some(([job, position]) => position < eventsOf(job).length || isAtEnd(job, position)),
    subscribed: (job, seq, ref) => ({ control: 'subscribed', ...place(job, seq), cursor: idAt(seq), ...(ref === undefined ? {} : { ref }) }),
    member: (job, from, position) => ({ ...place(job, from), from: idAt(from), cursor: idAt(position), done: isAtEnd(job, position) }),
    news(positions, limit = Infinity) {
      const frames: Frame[] = []
      for (const [job, position] of positions) {
        const events = eventsOf(job).slice(position, position + limit)
        const reached = position + events.length
        frames.push(...events)
        positions.set(job, reached)
        if (!isAtEnd(job, reached)) continue
        positions.delete(job)
        frames.push({ control: 'done', job, cursor: idAt(reached) })
      }
      return frames
    }
  }
}
