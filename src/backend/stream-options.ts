/** Options of a stream of another server: the application's, those of one server's backend, and those of one kind of answer. */

import type { Answer } from '../transports/http.ts'
import type { OpenRequest, TransportTraits } from '../types.ts'
import type { DocumentOptions } from './document.ts'
import type { RequestHook } from './foreign.ts'
import type { OperationOptions } from './foreign-start.ts'
import type { EndRule, JobEventTuple, Message } from './message.ts'

/** Options of `plainSse` and `ndjson`. */
export interface StreamOptions extends OperationOptions {
  /**
   * What can be promised of the server. `log`: its messages have ids to resume from. `replay`: each answer begins at the first message.
   * `lossy`: neither.
   * @defaultValue `'log'`
   */
  promises?: 'log' | 'replay' | 'lossy' | undefined
  /**
   * The request for a job's stream, with `cursor` where it resumes, and `isTail` where only new events are wanted. Where a POST starts the
   * work, another request has to resume it.
   * @defaultValue GET `{url}/{id}`
   */
  request?: RequestHook | undefined
  /**
   * How the cursor is sent: as the header `Last-Event-ID`, or as the URL parameter that the server has for it (`lastEventId`,
   * `last_event_id`, `after`, `startIndex`).
   * @defaultValue `'header'`
   */
  cursor?: 'header' | { parameter: string } | undefined
  /**
   * What ends the job: one rule, or several.
   * @defaultValue `'[DONE]'`
   */
  end?: EndRule | readonly EndRule[] | undefined
  /**
   * What a message means; `undefined`: it is no event.
   * @defaultValue by the message's name: `error` fails the job; a message without a name has the type in `data.type`, otherwise `output`
   */
  read?: ((message: Message) => JobEventTuple | undefined) | undefined
  /**
   * A status document. It is read after each answer that no rule has ended, and beside a silent one.
   * @defaultValue none
   */
  status?: DocumentOptions | undefined
  /**
   * The server's heartbeat, in ms: it sends something at least this often. After 2.5 of these without a byte the connection is replaced.
   * @defaultValue none: silence alone never ends a connection
   */
  heartbeatMs?: number | undefined
}

/** What a splitter is given for one reading. */
export interface Reading {
  /** The server's own cursor that the answer has to begin after; `undefined` at the beginning. */
  cursor: string | undefined
  /** Whether only new messages were requested. */
  isTail: boolean
  /** The response that is split. */
  response: Response
  /** Takes each message. */
  take(message: Message): void
  /** How many messages without an id were received before the reading, and have not come again yet. */
  left(): number
  /** Records that the answer does not begin after the cursor: the reader gets a `gap`. */
  lose(): void
  /** The same, and requests the stream again from the beginning. */
  restart(): void
}

/** Splits the answers of one reading into messages. */
export interface Split {
  /** Takes the text of an answer as it arrives. */
  feed(chunk: string): void
  /** Takes what is left at the answer's end. */
  rest(response: Response): void
}

/** How one kind of answer is requested, and split into messages. */
export interface Splitter {
  /** The transport's name. */
  name: string
  /** The header `Accept`. Without it, every content type is accepted. */
  accept?: string
  /** The transport's traits. */
  traits?: TransportTraits
  /** For a reading of many answers: the pause before the next request, in ms. Without it, a reading has one answer. */
  pauseMs?: number
  /** The longest pause: it doubles after each answer that came at once and brought nothing. Without it, the pause is always the same. */
  maxPauseMs?: number
  /** Whether the server sends something as soon as a stream is open. Then one without text is not open: a proxy may hold it back. */
  greets?: boolean
  /** The request, in place of the one of the options. */
  request?: RequestHook
  /** Turns a response that says something by its status alone into one that can be read. */
  adapt?(response: Response): Response
  /** Opens the stream, in place of `fetch`. */
  connect?(request: OpenRequest, url: URL): Promise<Answer>
  /** Starts a reading, with its first answer. */
  split(reading: Reading): Split
}

/** The options of one server's backend, beside those of the application. */
export interface StreamDetails extends Omit<StreamOptions, 'cursor'> {
  /** As of `StreamOptions`. `none`: `request` puts the cursor where it belongs. */
  cursor?: StreamOptions['cursor'] | 'none'
  /** Statuses by which the server says that it has no stream of this job, or no longer. The document is polled from then on. */
  refusals?: readonly number[]
  /**
   * Whether new events alone can be requested.
   * @defaultValue where the server has nothing but a live stream, or where the application's `request` is told `isTail`
   */
  takesTail?: boolean
  /** Whether the document is read before the stream, where the stream does not tell that there is no such job. */
  readsDocumentFirst?: boolean
  /** What a document's end becomes, given the last message before it. */
  settle?(end: JobEventTuple, last: Message | undefined): JobEventTuple
}

/** The longest message accepted: 16 Mi characters. */
export const MAX_MESSAGE_CHARS: number = 2 ** 24
