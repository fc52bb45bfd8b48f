/** Streams of a Durable Streams server (durable-streams/durable-streams, PROTOCOL.md), in JSON mode. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { addressOf, type ForeignRequest, type RequestHookContext, requestOf } from './foreign.ts'
import { defaultMeaning, type JobEventTuple, type Message, parseMessage } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { Reading, Splitter, StreamOptions } from './stream-options.ts'

/** Options of `durableStreams`: those of `plainSse`, except what the protocol defines. */
export interface DurableStreamsOptions extends Omit<StreamOptions, 'promises' | 'cursor' | 'status'> {
  /**
   * How the job ends when the stream is closed, given the stream's last message; `undefined` where it has none.
   * @defaultValue `['succeeded', last]`
   */
  closed?: ((last: unknown) => JobEventTuple) | undefined
}

/** What the server tells beside the messages: in an event `control`, or in headers. */
interface Control {
  streamNextOffset?: string | undefined
  upToDate?: boolean
  streamClosed?: boolean
}

const CONTROL = 'control'
const CLOSED = 'closed'
/** The pauses between two long polls, since a server may answer at once where it should hold the request. */
const PAUSE_MS = 50
const MAX_PAUSE_MS = 2000

/**
 * Takes batches apart. A batch's messages are counted from the offset before it, and the offset after it becomes the cursor only with the
 * next batch. So a reader that resumes receives the last batch again, and with it the message that becomes the result at the close.
 */
function createBatchReader({ cursor, isTail, take, left, restart }: Reading): { batch(items: unknown): void; control(control: Control): void } {
  let offset: string | undefined = cursor === undefined && !isTail ? '-1' : undefined
  let last: unknown
  return {
    batch(items) {
      if (!Array.isArray(items)) throw new TransportError('protocol', `expected an array, as a stream in JSON mode has it, got ${typeof items}`)
      if (items.length > 0 && offset !== undefined) {
        take({ type: CONTROL, id: offset, text: '', data: undefined })
        offset = undefined
      }
      for (const item of items) {
        last = item
        take(parseMessage('message', JSON.stringify(item), undefined))
      }
    },
    control({ streamNextOffset, upToDate, streamClosed }) {
      if (typeof streamNextOffset !== 'string') throw new TransportError('protocol', 'expected a Stream-Next-Offset, got none')
      // Offsets sort as strings. A cursor beyond the end, or a count beyond the last message, is of an earlier stream at this URL.
      if (cursor !== undefined && (streamNextOffset < cursor || ((upToDate || streamClosed) && left() > 0))) return restart()
      if (streamNextOffset !== cursor || offset !== undefined) offset = streamNextOffset
      if (streamClosed) take({ type: CLOSED, id: streamNextOffset, text: '', data: last })
    }
  }
}

const live = sse((reading) => {
  const { batch, control } = createBatchReader(reading)
  return ({ type, data }) => (type === 'control' ? control(Object(data)) : type === 'data' && batch(data))
})

const longPoll: Splitter = {
  name: 'long-poll',
  accept: 'application/json',
  traits: { polls: 'long' },
  pauseMs: PAUSE_MS,
  maxPauseMs: MAX_PAUSE_MS,
  adapt: (response) =>
    response.status === 204 ? new Response('[]', { headers: { ...Object.fromEntries(response.headers), 'content-type': 'application/json' } }) : response,
  split(reading) {
    const { batch, control } = createBatchReader(reading)
    let text = ''
    let last: string | undefined
    return {
      feed(chunk) {
        text += chunk
      },
      rest({ headers }) {
        const { data } = parseMessage('message', text, undefined)
        text = ''
        const next = headers.get('stream-next-offset') ?? undefined
        // An answer that ends where the one before it has ended brings nothing new: a cache may repeat it.
        batch(next !== undefined && next === last && Array.isArray(data) ? [] : data)
        last = next
        control({ streamNextOffset: next, upToDate: headers.has('stream-up-to-date'), streamClosed: headers.has('stream-closed') })
      }
    }
  }
}

/**
 * Follows jobs of a Durable Streams server by a stream for each job, `{url}/{id}`: by event stream, or by long polls. The close of the
 * stream ends the job. Promises `log`.
 */
export function durableStreams({
  request,
  end = [],
  read = defaultMeaning,
  closed = (last) => ['succeeded', last],
  ...options
}: DurableStreamsOptions = {}): Backend {
  // Parameters are in the order of their names, so that a cache sees equal URLs.
  const requestFor =
    (mode: string) =>
    async (job: string, asked: RequestHookContext): Promise<ForeignRequest> => {
      const { base, last, isTail, cursor = isTail ? 'now' : '-1' } = asked
      const given = requestOf(request ? await request(job, asked) : addressOf(job, base), base)
      const { searchParams } = given.url
      const isLive = mode === 'sse' || last
      const echo = isLive && last?.headers.get('stream-cursor')
      if (echo) searchParams.set('cursor', echo)
      if (isLive) searchParams.set('live', mode)
      searchParams.set('offset', last?.headers.get('stream-next-offset') ?? cursor)
      return given
    }
  const isClosed = ({ type, data }: Message): JobEventTuple | undefined => (type === CLOSED ? closed(data) : undefined)
  return streamBackend(
    {
      ...options,
      cursor: 'none',
      takesTail: true,
      end: [isClosed, end].flat(),
      read: (message) => (message.type === CONTROL ? undefined : read(message))
    },
    [
      // The first event is what there is, or where the stream begins.
      { ...live, greets: true, request: requestFor('sse') },
      { ...longPoll, request: requestFor('long-poll') }
    ]
  )
}
