/** The cursors that a reading goes on from, and whether it gets anywhere. */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import type { Asked } from '../protocol/urls.ts'

/** Whether a frame takes its reading further: an event, or the end of a job's reading. */
export const bringsNews = (frame: Frame): boolean => !isControl(frame) || frame.control === 'done' || frame.control === 'error'

/** Throws for an answer that says `more: true` without taking its reading further: it would be requested again for ever. */
export function checkMore(more: boolean, hasNews: boolean): void {
  if (more && !hasNews) throw new TransportError('protocol', 'an answer has more: true, but no event')
}

/** The positions of a reading in its jobs, from which it can be resumed. */
export interface Cursors<J> {
  /** The jobs that have neither ended nor failed, each after its last event. */
  left(): J[]
  /** Moves the positions past these frames. */
  take(frames: readonly Frame[]): void
}

/** The positions of a reading that begins with these jobs. */
export function createCursors<J extends Asked>(jobs: readonly J[]): Cursors<J> {
  const cursors = new Map(jobs.map((each) => [each.job, { ...each }]))
  const move = (job: string, after: string): void => {
    const cursor = cursors.get(job)
    if (cursor) cursor.after = after
  }
  return {
    left: () => [...cursors.values()],
    take(frames) {
      for (const frame of frames)
        if (!isControl(frame)) move(frame.job, frame.id)
        else if (frame.control === 'subscribed') move(frame.job, frame.cursor)
        else if ((frame.control === 'done' || frame.control === 'error') && frame.job) cursors.delete(frame.job)
    }
  }
}
