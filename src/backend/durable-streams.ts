/** Durable Streams (durable-streams/durable-streams, PROTOCOL.md), in JSON mode. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { type Asked, addressOf, type ForeignRequest, wordedOf } from './foreign.ts'
import { type EndRule, type Meaning, type Message, meaningOf, messageOf } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { Reading, Splitter, StreamOptions } from './stream-options.ts'

export interface DurableStreamsOptions extends Omit<StreamOptions, 'promises' | 'cursor' | 'status'> {
  /** What the stream's close means, given the last message; undefined where it has none. @defaultValue `['succeeded', last]` */
  closed?: ((last: unknown) => Meaning) | undefined
}

/** What the server says beside messages: in an event `control`, or in headers. */
interface Control {
  streamNextOffset?: string | null
  upToDate?: boolean
  streamClosed?: boolean
}

const CONTROL = 'control'
const CLOSED = 'closed'
/** Before the next request of long polls, since a server may answer at once what it should hold. */
const PAUSE_MS = 50

/**
 * Hands on each message of the batches. A batch's messages are counted from the offset before it, which becomes the cursor only with the next batch: so
 * whoever resumes is given the last batch again, and with it the message that a close makes the result.
 */
function taker({ cursor, isTail, take, left, restart }: Reading): { batch(items: unknown): void; control(control: Control): void } {
  let offset: string | undefined = cursor === undefined && !isTail ? '-1' : undefined
  let last: unknown
  return {
    batch(items) {
      if (!Array.isArray(items)) throw new TransportError('protocol', 'expected a stream in JSON mode, whose batches are arrays')
      if (items.length > 0 && offset !== undefined) {
        take({ type: CONTROL, id: offset, text: '', data: undefined })
        offset = undefined
      }
      for (const item of items) {
        last = item
        take(messageOf('message', JSON.stringify(item), undefined))
      }
    },
    control({ streamNextOffset, upToDate, streamClosed }) {
      if (typeof streamNextOffset !== 'string') throw new TransportError('protocol', 'expected a Stream-Next-Offset, which no answer of Durable Streams lacks')
      // Offsets sort as strings. One beyond the end is of another stream, which had this address before, and so are more messages than there are.
      if (cursor !== undefined && (streamNextOffset < cursor || ((upToDate || streamClosed) && left() > 0))) return restart()
      if (streamNextOffset !== cursor || offset !== undefined) offset = streamNextOffset
      if (streamClosed) take({ type: CLOSED, id: streamNextOffset, text: '', data: last })
    }
  }
}

const live = sse((reading) => {
  const { batch, control } = taker(reading)
  return ({ type, data }) => (type === 'control' ? control(Object(data)) : type === 'data' && batch(data))
})

const longPoll: Splitter = {
  name: 'long-poll',
  accept: 'application/json',
  traits: { polls: 'long' },
  pauseMs: PAUSE_MS,
  adapt: (response) =>
    response.status === 204 ? new Response('[]', { headers: { ...Object.fromEntries(response.headers), 'content-type': 'application/json' } }) : response,
  split(reading) {
    const { batch, control } = taker(reading)
    let text = ''
    return {
      feed(chunk) {
        text += chunk
      },
      rest({ headers }) {
        const { data } = messageOf('message', text, undefined)
        text = ''
        batch(data)
        control({ streamNextOffset: headers.get('stream-next-offset'), upToDate: headers.has('stream-up-to-date'), streamClosed: headers.has('stream-closed') })
      }
    }
  }
}

/** Follows jobs that are a stream each of a Durable Streams server, at `{url}/{id}`: by event stream, or by long polls. Promises `log`. */
export function durableStreams({
  request,
  end = [],
  read = meaningOf,
  closed = (last) => ['succeeded', last],
  ...options
}: DurableStreamsOptions = {}): Backend {
  /** Parameters in the order of their names, as caches want them. */
  const asking =
    (mode: string) =>
    async (job: string, asked: Asked): Promise<ForeignRequest> => {
      const { base, last, isTail, cursor = isTail ? 'now' : '-1' } = asked
      const worded = wordedOf(request ? await request(job, asked) : addressOf(job, base), base)
      const { searchParams } = worded.url
      const isLive = mode === 'sse' || last
      const echo = isLive && last?.headers.get('stream-cursor')
      if (echo) searchParams.set('cursor', echo)
      if (isLive) searchParams.set('live', mode)
      searchParams.set('offset', last?.headers.get('stream-next-offset') ?? cursor)
      return worded
    }
  const isClosed = ({ type, data }: Message): Meaning | undefined => (type === CLOSED ? closed(data) : undefined)
  return streamBackend(
    {
      ...options,
      cursor: 'none',
      end: [isClosed, ...(Array.isArray(end) ? (end as readonly EndRule[]) : [end as EndRule])], // as: TypeScript doesn't narrow a readonly list
      read: (message) => (message.type === CONTROL ? undefined : read(message))
    },
    [
      { ...live, request: asking('sse') },
      { ...longPoll, request: asking('long-poll') }
    ]
  )
}
