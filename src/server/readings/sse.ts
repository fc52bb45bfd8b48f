import type { Frame, Hello } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import type { Room } from '../backpressured-writer.ts'
import { encodeEvent } from '../encode.ts'
import type { Budget } from '../job-cursor.ts'
import type { Delivery, Reply } from '../request-context.ts'
import type { Subscriber } from '../subscriber.ts'
import { writeLoop } from '../write-loop.ts'
import { encodeOnce } from './hello-and-encode.ts'
import { refusalFrom } from './json.ts'

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'private, no-store, no-transform',
  'X-Accel-Buffering': 'no'
}
const PADDING = `:${' '.repeat(2048)}\n\n`

interface SseReading {
  subscriber: Subscriber
  hello: Hello
  budget: Budget
  /** It asks for one job: what is wrong with that one is the answer's status. */
  single: boolean
  /** The single job's reader was asked for from a cursor. */
  hasCursor: boolean
  pad: boolean
  delivery: Delivery
}

/** A stream of PROTOCOL.md §4. For a single job it reads before it answers, since a refusal or an end already reached is a status. */
export async function readSse({ subscriber, hello, budget, single, hasCursor, pad, delivery }: SseReading): Promise<Reply> {
  const first: Frame[] = single ? await subscriber.ready(budget) : []
  const refused = first.find((frame) => isControl(frame) && frame.control === 'error')
  if (refused && 'status' in refused && 'code' in refused) throw refusalFrom(refused)
  if (single && hasCursor && isAtEnd(first)) {
    delivery.close()
    return { status: 204, headers: {} }
  }
  const encode = pad ? encodePadded : encodePlain
  const written = (room: Room): Room => {
    if (subscriber.isSpent() && !subscriber.isOver(false)) subscriber.bye('window', 0)
    return room
  }
  return {
    status: 200,
    headers: HEADERS,
    body: {
      ...delivery,
      writeLoop: (write, end) => writeLoop([hello, ...first], { subscriber, budget, sink: { write: (frames) => written(write(encode(frames))), end } })
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
