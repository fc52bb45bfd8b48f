import type { Frame } from '../protocol/frames.ts'
import type { Drained } from './backpressured-writer.ts'
import type { Budget } from './job-cursor.ts'
import type { Subscriber } from './subscriber.ts'

/** Where the frames of one reader are written to. */
export interface Sink {
  write(frames: readonly Frame[]): Drained
  /** Called when everything available has been written. */
  idle?(): void
  /** Called once after the last write. */
  end(): void
}

export interface WriteLoopOptions {
  subscriber: Subscriber
  budget: Budget
  sink: Sink
  /** Goes on when no job is subscribed any more: a WebSocket may subscribe others. */
  keepOpen?: boolean
  /** Ends as soon as everything available has been written. */
  endWhenIdle?: boolean
}

/**
 * Writes the first frames, then those of the subscriber, at the pace of the sink. It waits by a callback rather than a promise: an event that was read for all
 * watchers is written within the call that announces it. A promise for each event and reader would be most of the cost of a fan-out.
 */
export function writeLoop(first: Frame[], { subscriber, budget, sink, keepOpen = false, endWhenIdle = false }: WriteLoopOptions): void {
  /** Writes frames. True where the next ones can follow at once. */
  function write(frames: readonly Frame[]): boolean {
    const room = frames.length === 0 || sink.write(frames)
    if (room !== true) void room.then(afterDrain)
    return room === true
  }

  function afterDrain(isRoom: boolean): void {
    if (!isRoom) subscriber.bye('slow', 1000)
    run()
  }

  function run(): void {
    while (subscriber.hasPending()) {
      const found = subscriber.readAvailable(budget)
      if (!Array.isArray(found)) return void found.then((frames) => write(frames) && run())
      if (!write(found)) return
    }
    if (endWhenIdle || subscriber.isDone(keepOpen)) return sink.end()
    sink.idle?.()
    subscriber.whenPending(run)
  }

  if (write(first)) run()
}
