import { createQueue } from '../../src/async/queue.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import type { Link } from '../../src/types.ts'

type Delivery = Frame | readonly Frame[]

/** A link whose frames the test decides. */
export interface ScriptedLink extends Link {
  push(delivery: Delivery): void
  /** Ends the frames: cleanly, or with the error of a broken network. */
  end(error?: unknown): void
  /** How often `next()` was called. */
  readonly pulls: number
  readonly returned: boolean
}

/** Without a signal it ignores every abort, as a transport must not do. */
export function scriptLink(signal?: AbortSignal): ScriptedLink {
  let queue = createQueue<Delivery>()
  let pulls = 0
  let returned = false
  signal?.addEventListener('abort', () => {
    const waiting = queue
    queue = createQueue()
    for (const each of [waiting, queue]) each.end(signal.reason)
  })
  return {
    push: (delivery) => queue.push(delivery),
    end: (error) => queue.end(error),
    get pulls() {
      return pulls
    },
    get returned() {
      return returned
    },
    frames: {
      [Symbol.asyncIterator]: () => ({
        next() {
          pulls += 1
          return queue.next()
        },
        async return() {
          returned = true
          return { done: true, value: undefined }
        }
      })
    }
  }
}
