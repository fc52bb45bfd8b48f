/** The cursors that a reading goes on from, and whether it gets anywhere. */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import type { Asked } from '../protocol/urls.ts'

/** Where a series of answers has got to. */
export interface Cursors {
  /** What `end` says, whether the server has more; `undefined` where none has come since `next`. */
  readonly isMore: boolean | undefined
  /** Moves the positions past these frames of an answer. Returns them without `end`. */
  take(frames: readonly Frame[]): Frame[]
  /**
   * The jobs to request next: those that have neither ended nor failed, each after its last event.
   * @throws TransportError where the last answer said `more: true` and brought nothing: it would be requested again for ever
   */
  next(): Asked[]
}

/** The positions of a series of answers that begins with these jobs. */
export function createCursors(jobs: readonly Asked[]): Cursors {
  const left = new Map(jobs.map(({ job, after }) => [job, after]))
  let hasNews = false
  const move = (job: string, after: string): unknown => left.has(job) && left.set(job, after)
  const cursors = {
    isMore: undefined as boolean | undefined,
    take: (frames: readonly Frame[]) =>
      frames.filter((frame) => {
        if (!isControl(frame)) {
          hasNews = true
          move(frame.job, frame.id)
        } else if (frame.control === 'done' || frame.control === 'error') {
          hasNews = true
          left.delete(frame.job ?? '')
        } else if (frame.control === 'subscribed') move(frame.job, frame.cursor)
        else if (frame.control === 'end') {
          cursors.isMore = frame.more
          return false
        }
        return true
      }),
    next() {
      if (cursors.isMore && !hasNews) throw new TransportError('protocol', 'an answer has more: true, but no event')
      cursors.isMore = undefined
      hasNews = false
      return [...left].map(([job, after]) => ({ job, after }))
    }
  }
  return cursors
}
