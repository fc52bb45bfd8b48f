import type { End, Frame, Hello } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import type { Drained } from '../backpressured-writer.ts'
import { encodeFrame } from '../encode.ts'
import type { Budget } from '../job-cursor.ts'
import type { Delivery, Reply } from '../request-context.ts'
import type { Subscriber } from '../subscriber.ts'
import { type Sink, writeLoop } from '../write-loop.ts'
import { encodeOnce, endAtWindow, STREAM_HEADERS } from './hello-and-encode.ts'
import { checkErrors } from './json.ts'

const HEADERS = { 'Content-Type': 'application/x-ndjson', ...STREAM_HEADERS }
const LIVE_HEADERS = { ...HEADERS, 'Cache-Control': 'private, no-store, no-transform' }

interface NdjsonReading {
  subscriber: Subscriber
  hello: Hello
  budget: Budget
  /** The request names one job: its error becomes the status of the whole answer. */
  single: boolean
  /** Goes on with what is appended, as an event stream does. Without it the answer ends with what the log has now. */
  isLive: boolean
  delivery: Delivery
}

/**
 * Streams one frame a line (PROTOCOL.md §3): what the log has now, or a live stream. The first page of each job is read before the answer begins, so that an
 * error can still be the answer's status. Throws an `HttpError`.
 */
export async function readNdjson({ subscriber, hello, budget, single, isLive, delivery }: NdjsonReading): Promise<Reply> {
  const first = await subscriber.readAvailable(budget)
  checkErrors(
    first.filter((frame) => isControl(frame) && frame.control === 'error'),
    single
  )
  return {
    status: 200,
    headers: isLive ? LIVE_HEADERS : HEADERS,
    body: {
      ...delivery,
      writeLoop(write, end) {
        const sink = isLive ? liveSink(subscriber, write, end) : sinkOfNow(subscriber, write, end)
        writeLoop([hello, ...first], { subscriber, budget, sink, endWhenIdle: !isLive })
      }
    }
  }
}

type Write = (piece: string) => Drained

function liveSink(subscriber: Subscriber, write: Write, end: () => void): Sink {
  return {
    write(frames) {
      const drained = write(encodeLines(frames))
      endAtWindow(subscriber)
      return drained
    },
    end
  }
}

/** Leaves out `bye`: the last line, `end`, says the same by `more`. */
function sinkOfNow(subscriber: Subscriber, write: Write, end: () => void): Sink {
  return {
    write(frames) {
      const told = frames.filter((frame) => !isControl(frame) || frame.control !== 'bye')
      return told.length === 0 || write(encodeLines(told))
    },
    end() {
      const control: End = { control: 'end', more: subscriber.hasMore() }
      subscriber.end()
      write(encodeLines([control]))
      end()
    }
  }
}

const encodeLines = encodeOnce((frames: readonly Frame[]): string => [...frames.map(encodeFrame), ''].join('\n'))
