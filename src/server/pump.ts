import type { Frame } from '../protocol/frames.ts'
import type { Follow } from './follow.ts'
import type { Budget } from './job-reader.ts'
import type { Room } from './outlet.ts'

export interface PumpOptions {
  follow: Follow
  budget: Budget
  /** What is written before anything else. */
  first: Frame[]
  /** Writes on when there are no jobs any more, too. */
  stay?: boolean
  write(frames: readonly Frame[]): Room
  /** Called where everything has been written for now. */
  onIdle?: () => void
  /** Called after the last write, or when the reader has gone. */
  end(): void
}

/**
 * Writes what is followed, no faster than there is room for it. It waits as a callback, not as a promise: an event that has been read for all is written
 * in the very call that tells of it. A promise for each event and follower is most of what it would cost.
 */
export async function pump(options: PumpOptions): Promise<void> {
  const { follow, budget, first, stay = false, write, onIdle, end } = options
  const put = (frames: readonly Frame[]): true | Promise<void> => {
    const room = write(frames)
    return room === true || room.then((isRoom) => (isRoom ? undefined : follow.bye('slow', 1000)))
  }

  async function run(): Promise<void> {
    while (follow.hasNews()) {
      const found = follow.ready(budget)
      const frames = Array.isArray(found) ? found : await found
      const done = frames.length === 0 || put(frames)
      if (done !== true) await done
    }
    if (follow.isOver(stay)) return end()
    onIdle?.()
    follow.onNews(run)
  }

  await put(first)
  await run()
}
