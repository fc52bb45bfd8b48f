/** Nchan, an nginx module: one channel, read by WebSocket, event stream, long polls, or polls. */

import { createQueue } from '../async/queue.ts'
import { onAbort, orAborted } from '../async/signals.ts'
import { JobtailError, TransportError } from '../errors.ts'
import { place } from '../protocol/urls.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, OpenRequest } from '../types.ts'
import { type Asked, addressOf, type ForeignRequest, type RequestHook, wordedOf } from './foreign.ts'
import { type Message, messageOf } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { Reading, Splitter, StreamOptions } from './stream-options.ts'

export interface NchanOptions extends Omit<StreamOptions, 'promises' | 'cursor'> {
  /** Where a location with `nchan_subscriber interval-poll` is: the last reading to be tried. @defaultValue none */
  interval?: RequestHook | undefined
  /** The pause between two polls of it, in ms. @defaultValue 1000 */
  intervalMs?: number | undefined
  /**
   * The field of each message by which the publisher numbers them: what the channel's buffer has dropped is a `gap` then. Nchan itself doesn't say it.
   * @defaultValue none
   */
  seqField?: string | undefined
}

/** Between two long polls. */
const PAUSE_MS = 0
/** Cursor and number of a message, as one. */
const idOf = (cursor: string, seq: unknown): string => (typeof seq === 'number' ? `${cursor}~${seq}` : cursor)

const gone = (): JobtailError => new JobtailError('history-gone', 'the channel was deleted', { status: 410 })

/** Hands messages on, with a `gap` where numbers are missing. */
function numbered({ cursor, take, lose }: Reading, seqField: string | undefined): (message: Message) => void {
  const before = cursor?.split('~')[1]
  let last = before === undefined ? undefined : Number(before)
  return (message) => {
    const seq = seqField === undefined ? undefined : Object(message.data)[seqField]
    if (typeof seq === 'number' && last !== undefined && seq !== last + 1) lose()
    if (typeof seq === 'number') last = seq
    take(message.id === undefined ? message : { ...message, id: idOf(message.id, seq) })
  }
}

/** Each answer is a message, whose cursor is in its headers. */
const polling = (name: string, pauseMs: number, seqField: string | undefined): Splitter => ({
  name,
  // Also where nothing is held: a poll that is swallowed has to be noticed.
  traits: { polls: 'long' },
  pauseMs,
  // Nothing within the server's time, or nothing at all.
  adapt: (response) => ([304, 408].includes(response.status) ? new Response() : response),
  split(reading) {
    const take = numbered(reading, seqField)
    let text = ''
    return {
      feed(chunk) {
        text += chunk
      },
      rest({ headers }) {
        const body = text
        text = ''
        const [modified, tag] = [headers.get('last-modified'), headers.get('etag')]
        if (modified && tag) take(messageOf('message', body, `${Date.parse(modified) / 1000}:${tag}`))
        else if (body) throw new TransportError('protocol', 'expected Last-Modified and Etag, by which Nchan says where a message is, got an answer without')
      }
    }
  }
})

const eventStream = (seqField: string | undefined): Splitter =>
  sse(
    (reading) => numbered(reading, seqField),
    (comment) => {
      if (/^\s*410:/.test(comment)) throw gone()
    }
  )

/** A message is lines of headers, an empty one, and the body. */
const webSocket = (seqField: string | undefined): Splitter => ({
  name: 'websocket',
  traits: { hidesStatus: true },
  connect,
  split(reading) {
    const take = numbered(reading, seqField)
    return {
      feed(message) {
        const [, head = '', body] = /^(.*?)\r?\n\r?\n(.*)$/s.exec(message) ?? []
        if (body !== undefined) take(messageOf('message', body, /^id: *(.+)$/m.exec(head)?.[1]?.trim()))
      },
      rest() {}
    }
  }
})

/** Opens a socket that only listens: what is sent would be published, where that is allowed. */
async function connect({ WebSocket, token, headers, signal }: OpenRequest, url: URL): Promise<Answer> {
  if (token || [...headers].length > 0) throw new TransportError('unsupported', 'a WebSocket of Nchan carries neither token nor headers')
  url.protocol = url.protocol.replace('http', 'ws')
  const opened = Promise.withResolvers<void>()
  const inbox = createQueue<string>()
  const socket = new (WebSocket as typeof globalThis.WebSocket)(url, 'ws+meta.nchan') // as: without one, nobody asks
  socket.onopen = () => opened.resolve()
  socket.onmessage = ({ data }) => typeof data === 'string' && inbox.push(data)
  socket.onerror = () => {} // the close that follows says more
  socket.onclose = ({ code, reason }) => {
    opened.reject(new TransportError('refused', `${place(url)} did not open: ${code}`))
    inbox.end(/^410/.test(reason) ? gone() : undefined)
  }
  const release = onAbort(signal, (cause) => {
    socket.close()
    inbox.end(cause)
  })
  await orAborted(opened.promise, signal)
  async function* chunks(): AsyncGenerator<string, void> {
    try {
      for (let item = await inbox.next(); !item.done; item = await inbox.next()) yield item.value
    } finally {
      release()
      socket.close()
    }
  }
  return { response: new Response(), chunks: chunks(), redact: (text) => text }
}

/** Follows jobs that are a channel of Nchan each, at `{url}/{id}`, by whichever of its readings gets through. Promises `log`. */
export function nchan({ request, interval, intervalMs = 1000, seqField, ...options }: NchanOptions = {}): Backend {
  const asking =
    (hook: RequestHook = (job, { base }) => addressOf(job, base)) =>
    async (job: string, asked: Asked): Promise<ForeignRequest> => {
      const worded = wordedOf(await hook(job, asked), asked.base)
      if (asked.cursor !== undefined) worded.url.searchParams.set('last_event_id', asked.cursor.split('~')[0] ?? '')
      return worded
    }
  const readings = [webSocket(seqField), eventStream(seqField), polling('long-poll', PAUSE_MS, seqField)].map((each) => ({
    ...each,
    request: asking(request)
  }))
  const [first, stream, ...rest] = readings as [Splitter, Splitter, ...Splitter[]] // as: there are three
  const last = interval ? [{ ...polling('interval-poll', intervalMs, seqField), request: asking(interval) }] : []
  return streamBackend({ ...options, cursor: 'none' }, [first, stream, ...rest, ...last], stream)
}
