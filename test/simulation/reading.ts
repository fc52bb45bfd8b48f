/** Makes one JSON answer (PROTOCOL.md §3) of the frames that a follow reads. */

import { type Frame, isControl, type Reading, type WireEvent } from '../../src/protocol/frames.ts'
import type { Ask, Follow } from './follow.ts'

/** The same as NDJSON: the position of each job, its events, its end. */
export const framesOf = ({ jobs, events }: Pick<Reading, 'jobs' | 'events'>): Frame[] =>
  jobs.flatMap((member): Frame[] => {
    if ('error' in member) return [{ control: 'error', job: member.job, ...member.error }]
    const { job, epoch, seq, from, cursor, status, done } = member
    return [
      { control: 'subscribed', job, epoch, seq, cursor: from, status },
      ...events.filter((event) => event.job === job),
      ...(done ? [{ control: 'done', job, cursor } as const] : [])
    ]
  })

export function readingOf(follow: Follow, limit: number, asks: readonly Ask[]): Pick<Reading, 'jobs' | 'events' | 'more'> & { isMoved: boolean } {
  const events: WireEvent[] = []
  const jobs: Reading['jobs'] = []
  let isMoved = false
  for (const frame of follow.read(limit)) {
    if (!isControl(frame)) events.push(frame)
    else if (frame.control === 'subscribed') {
      const { job, epoch, seq, cursor, status } = frame
      const after = asks.find((ask) => ask.job === job)?.after
      if (after && after !== 'tail' && after !== cursor) isMoved = true
      jobs.push({ job, epoch, seq, from: cursor, cursor, status, done: false })
    } else if (frame.control === 'done') {
      const member = jobs.find((each) => each.job === frame.job)
      if (member && 'done' in member) member.done = true
    } else if (frame.control === 'error') {
      const { job = '', control: _, ...error } = frame
      jobs.push({ job, error })
    }
  }
  for (const member of jobs) if ('cursor' in member) member.cursor = events.findLast(({ job }) => job === member.job)?.id ?? member.cursor
  return { jobs, events, more: follow.isBehind, isMoved }
}
