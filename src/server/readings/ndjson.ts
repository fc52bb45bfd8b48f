import type { End, Frame, Hello } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import type { Room } from '../backpressured-writer.ts'
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
  /** It asks for one job: what is wrong with that one is the answer's status. */
  single: boolean
  delivery: Delivery
}

/** What is known now, a frame a line, page by page (PROTOCOL.md §3). The first pages, with which each job says where it stands, are read before the answer begins: a refusal is a status. */
export async function readNdjson({ subscriber, hello, budget, single, delivery }: NdjsonReading): Promise<Reply> {
  const first = await subscriber.ready(budget)
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
          const control: End = { control: 'end', more: subscriber.behind() }
          subscriber.end()
          write(encodeLines([control]))
          end()
        }
        const put = (frames: readonly Frame[]): Room => {
          const lines = encodeLines(frames)
          return lines === '' || write(lines)
        }
        writeLoop([hello, ...first], { subscriber, budget, sink: { write: put, end: last }, once: true })
      }
    }
  }
}

/** Without `bye`: what it would say, `end` says with `more`. */
const encodeLines = (frames: readonly Frame[]): string =>
  [...frames.filter((frame) => !isControl(frame) || frame.control !== 'bye').map(encodeFrame), ''].join('\n')
