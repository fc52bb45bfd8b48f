import type { End, Frame, Hello } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import type { Drained } from '../backpressured-writer.ts'
import { encodeFrame } from '../encode.ts'
import type { Budget } from '../job-cursor.ts'
import type { Delivery, Reply } from '../request-context.ts'
import type { Subscriber } from '../subscriber.ts'
import { writeLoop } from '../write-loop.ts'
import { checkErrors } from './json.ts'

const HEADERS = { 'Content-Type': 'application/x-ndjson', 'X-Accel-Buffering': 'no' }

interface NdjsonReading {
  subscriber: Subscriber
  hello: Hello
  budget: Budget
  /** The request names one job: its error becomes the status of the whole answer. */
  single: boolean
  delivery: Delivery
}

/**
 * Streams what the log has now, one frame a line (PROTOCOL.md §3). The first page of each job is read before the answer begins, so that an error can still be
 * the answer's status. Throws an `HttpError`.
 */
export async function readNdjson({ subscriber, hello, budget, single, delivery }: NdjsonReading): Promise<Reply> {
  const first = await subscriber.readAvailable(budget)
  checkErrors(
    first.filter((frame) => isControl(frame) && frame.control === 'error'),
    single
  )
  return {
    status: 200,
    headers: HEADERS,
    body: {
      ...delivery,
      writeLoop(write, end) {
        const last = (): void => {
          const control: End = { control: 'end', more: subscriber.hasMore() }
          subscriber.end()
          write(encodeLines([control]))
          end()
        }
        const put = (frames: readonly Frame[]): Drained => {
          const lines = encodeLines(frames)
          return lines === '' || write(lines)
        }
        writeLoop([hello, ...first], { subscriber, budget, sink: { write: put, end: last }, endWhenIdle: true })
      }
    }
  }
}

/** Leaves out `bye`, which NDJSON doesn't have: `end` says the same by `more`. */
const encodeLines = (frames: readonly Frame[]): string =>
  [...frames.filter((frame) => !isControl(frame) || frame.control !== 'bye').map(encodeFrame), ''].join('\n')
