import type { Frame } from '../protocol/frames.ts'
import type { Room } from './backpressured-writer.ts'
import type { Budget } from './job-cursor.ts'
import type { Subscriber } from './subscriber.ts'

/** Where frames go. */
export interface Sink {
  write(frames: readonly Frame[]): Room
  /** Called where everything has been written for now. */
  idle?(): void
  /** Called after the last write, or when the reader has gone. */
  end(): void
}

export interface PumpOptions {
  subscriber: Subscriber
  budget: Budget
  sink: Sink
  /** Writes on when there are no jobs any more, too. */
  stay?: boolean
  /** Ends where everything has been written for now. */
  once?: boolean
}

/**
 * Writes what is followed, after the first frames, no faster than there is room for it. It waits as a callback, not as a promise: an event that has been
 * read for all is written in the very call that tells of it. A promise for each event and follower is most of what it would cost.
 */
export function writeLoop(first: Frame[], { subscriber, budget, sink, stay = false, once = false }: PumpOptions): void {
  /** True where it has been written, and there is room. */
  function put(frames: readonly Frame[]): boolean {
    const room = frames.length === 0 || sink.write(frames)
    if (room !== true) void room.then(goOn)
    return room === true
  }

  function goOn(isRoom: boolean): void {
    if (!isRoom) subscriber.bye('slow', 1000)
    run()
  }

  function run(): void {
    while (subscriber.hasNews()) {
      const found = subscriber.ready(budget)
      if (!Array.isArray(found)) return void found.then((frames) => put(frames) && run())
      if (!put(found)) return
    }
    if (once || subscriber.isOver(stay)) return sink.end()
    sink.idle?.()
    subscriber.onNews(run)
  }

  if (put(first)) run()
}
