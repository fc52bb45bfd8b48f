/** What a link hands on, and where that leaves it. */

import { type Frame, isControl } from '../protocol/frames.ts'
import type { Redact } from '../protocol/parse.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch } from '../types.ts'

/** Frames that came as so long a text; what an error quotes is left out as `redact` has it. */
export function batchOf(frames: Frame[], textLength: number, redact: Redact): Batch {
  for (const frame of frames)
    if (isControl(frame) && frame.control === 'error') {
      frame.code = redact(frame.code)
      frame.message = redact(frame.message)
    }
  return Object.assign(frames, { textLength })
}

/** Where a reading is in each of its jobs, so that it can be gone on with. */
export interface Cursors<J> {
  /** The jobs that have neither ended nor failed, each from where it is. */
  left(): J[]
  take(frames: readonly Frame[]): void
}

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
