/** Channels of Nchan, an nginx module: by WebSocket, event stream, long polls or polls. */

import { createQueue } from '../async/queue.ts'
import { onAbort, orAborted } from '../async/signals.ts'
import { JobtailError, TransportError } from '../errors.ts'
import { place } from '../protocol/urls.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, OpenRequest } from '../types.ts'
import { addressOf, type ForeignRequest, type RequestHook, type RequestHookContext, requestOf } from './foreign.ts'
import { type Message, parseMessage } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { Reading, Splitter, StreamOptions } from './stream-options.ts'

/** Options of `nchan`: those of `plainSse`, except what Nchan defines. */
export interface NchanOptions extends Omit<StreamOptions, 'promises' | 'cursor'> {
  /**
   * The request for a location with `nchan_subscriber interval-poll`, which is polled where nothing else gets through.
   * @defaultValue none
   */
  interval?: RequestHook | undefined
  /**
   * The pause between two polls of `interval`, in ms.
   * @defaultValue 1000
   */
  intervalMs?: number | undefined
  /**
   * The field of each message in which the publisher numbers the messages. Where a number is missing, the reader gets a `gap`. Nchan itself
   * does not tell that its buffer has dropped messages.
   * @defaultValue none: dropped messages are not noticed
   */
  seqField?: string | undefined
}

/** The pauses between two long polls. The server holds each, but something in between may answer at once. */
const PAUSE_MS = 0
const MAX_PAUSE_MS = 2000
/** Joins a message's cursor and its number to one id. */
const idOf = (cursor: string, seq: unknown): string => (typeof seq === 'number' ? `${cursor}~${seq}` : cursor)

const gone = (): JobtailError => new JobtailError('history-gone', 'the channel was deleted', { status: 410 })

/** Takes messages, and records a loss where a number is missing. */
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

/** Makes a splitter of polls. Each answer is one message, and the headers have its cursor. */
const polling = (name: string, pauseMs: number, maxPauseMs: number, seqField: string | undefined): Splitter => ({
  name,
  // Also for polls that the server does not hold: `long` limits how long an answer may take.
  traits: { polls: 'long' },
  pauseMs,
  maxPauseMs,
  // These statuses mean that there is no message, now (304) or within the server's time limit (408).
  adapt: (response) => ([304, 408].includes(response.status) ? new Response() : response),
  split(reading) {
    const take = numbered(reading, seqField)
    let last = reading.cursor?.split('~')[0]
    let text = ''
    return {
      feed(chunk) {
        text += chunk
      },
      rest({ headers }) {
        const body = text
        text = ''
        const [modified, tag] = [headers.get('last-modified'), headers.get('etag')]
        const id = modified && tag ? `${Date.parse(modified) / 1000}:${tag}` : undefined
        if (id !== undefined && id === last) return // a cache has answered
        last = id ?? last
        if (id !== undefined) take(parseMessage('message', body, id))
        else if (body) throw new TransportError('protocol', 'expected the headers Last-Modified and Etag, got a message without')
      }
    }
  }
})

const eventStream = (seqField: string | undefined): Splitter => ({
  ...sse(
    (reading) => numbered(reading, seqField),
    (comment) => {
      if (/^\s*410:/.test(comment)) throw gone()
    }
  ),
  // The comment `: hi`.
  greets: true
})

/** Makes the splitter of a WebSocket. A message is lines of headers, an empty line, and the body. */
const webSocket = (seqField: string | undefined): Splitter => ({
  name: 'websocket',
  traits: { hidesStatus: true },
  connect,
  split(reading) {
    const take = numbered(reading, seqField)
    return {
      feed(message) {
        const [, head = '', body] = /^(.*?)\r?\n\r?\n(.*)$/s.exec(message) ?? []
        if (body !== undefined) take(parseMessage('message', body, /^id: *(.+)$/m.exec(head)?.[1]?.trim()))
      },
      rest() {}
    }
  }
})

/** Opens a WebSocket. Nothing is sent on it: the location may publish what a client sends. */
async function connect({ WebSocket, token, headers, signal }: OpenRequest, url: URL): Promise<Answer> {
  if (token || [...headers].length > 0) throw new TransportError('unsupported', 'a WebSocket of Nchan carries neither token nor headers')
  url.protocol = url.protocol.replace('http', 'ws')
  const opened = Promise.withResolvers<void>()
  const inbox = createQueue<string>()
  const socket = new (WebSocket as typeof globalThis.WebSocket)(url, 'ws+meta.nchan') // as: `isSupported` has checked that there is one
  socket.onopen = () => opened.resolve()
  socket.onmessage = ({ data }) => typeof data === 'string' && inbox.push(data)
  socket.onerror = () => {} // the `close` event that follows has the code
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

/**
 * Follows jobs of Nchan by a channel for each job, `{url}/{id}`: by WebSocket, event stream, long polls or polls, whichever gets through.
 * Promises `log`, as far as the channel's buffer reaches.
 */
export function nchan({ request, interval, intervalMs = 1000, seqField, ...options }: NchanOptions = {}): Backend {
  const requestFor =
    (hook: RequestHook = (job, { base }) => addressOf(job, base)) =>
    async (job: string, asked: RequestHookContext): Promise<ForeignRequest> => {
      const given = requestOf(await hook(job, asked), asked.base)
      if (asked.cursor !== undefined) given.url.searchParams.set('last_event_id', asked.cursor.split('~')[0] ?? '')
      return given
    }
  const by = (splitter: Splitter, hook = request): Splitter => ({ ...splitter, request: requestFor(hook) })
  const longPoll = by(polling('long-poll', PAUSE_MS, MAX_PAUSE_MS, seqField))
  const last = interval ? [by(polling('interval-poll', intervalMs, intervalMs, seqField), interval)] : []
  // Single reads are polls: an event stream beside a WebSocket may be held back as well.
  return streamBackend({ ...options, cursor: 'none', takesTail: !!request }, [by(webSocket(seqField)), by(eventStream(seqField)), longPoll, ...last], longPoll)
}
