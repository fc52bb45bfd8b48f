import type { Frame, Hello } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import type { Drained } from '../backpressured-writer.ts'
import { encodeEvent } from '../encode.ts'
import type { Budget } from '../job-cursor.ts'
import type { Delivery, Reply } from '../request-context.ts'
import type { Subscriber } from '../subscriber.ts'
import { writeLoop } from '../write-loop.ts'
import { encodeOnce, endAtWindow, STREAM_HEADERS } from './hello-and-encode.ts'
import { fromProblem } from './json.ts'

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'private, no-store, no-transform',
  ...STREAM_HEADERS
}
const PADDING = `:${' '.repeat(2048)}\n\n`

interface SseReading {
  subscriber: Subscriber
  hello: Hello
  budget: Budget
  /** The request names one job: its error, and an end that its reader has already seen, become the status of the whole answer. */
  single: boolean
  /** The request for that job has a cursor. */
  hasCursor: boolean
  /** Pads `hello` and heartbeats to 2 KiB, against proxies that buffer small writes. */
  pad: boolean
  delivery: Delivery
}

/** Answers with an event stream (PROTOCOL.md §4). Reads a single job before it answers, so that its error or end can be the status. Throws an `HttpError`. */
export async function readSse({ subscriber, hello, budget, single, hasCursor, pad, delivery }: SseReading): Promise<Reply> {
  const first: Frame[] = single ? await subscriber.readAvailable(budget) : []
  const error = first.find((frame) => isControl(frame) && frame.control === 'error')
  if (error && 'status' in error && 'code' in error) throw fromProblem(error)
  if (single && hasCursor && isAtEnd(first)) {
    delivery.close()
    return { status: 204, headers: {} }
  }
  const encode = pad ? encodePadded : encodePlain
  return {
    status: 200,
    headers: HEADERS,
    body: {
      ...delivery,
      writeLoop(write, end) {
        const put = (frames: readonly Frame[]): Drained => {
          const drained = write(encode(frames))
          endAtWindow(subscriber)
          return drained
        }
        writeLoop([hello, ...first], { subscriber, budget, sink: { write: put, end } })
      }
    }
  }
}

const isAtEnd = (frames: readonly Frame[]): boolean => frames.every(isControl) && frames.some((frame) => isControl(frame) && frame.control === 'done')

const encodePlain = encodeOnce((frames) => frames.map((frame) => encodeFrame(frame, false)).join(''))
const encodePadded = encodeOnce((frames) => frames.map((frame) => encodeFrame(frame, true)).join(''))

function encodeFrame(frame: Frame, pad: boolean): string {
  if (!isControl(frame)) return `id: ${frame.id}\ndata: ${encodeEvent(frame)}\n\n`
  if (frame.control === 'heartbeat') return pad ? PADDING : ':\n\n'
  return `event: control\ndata: ${JSON.stringify(frame)}\n\n${pad && frame.control === 'hello' ? PADDING : ''}`
}
