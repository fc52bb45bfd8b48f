/** What can be said of a foreign stream: by an application, by the backend of a certain server, and by how its answers are cut. */

import type { Answer } from '../transports/http.ts'
import type { OpenRequest, TransportTraits } from '../types.ts'
import type { DocumentOptions } from './document.ts'
import type { RequestHook } from './foreign.ts'
import type { StartOptions } from './foreign-start.ts'
import type { EndRule, Meaning, Message } from './message.ts'

export interface StreamOptions extends StartOptions {
  /**
   * What the server lets be promised: `log`, its messages have ids, from which it goes on; `replay`, each answer begins at the first message; `lossy`, neither.
   * @defaultValue `'log'`
   */
  promises?: 'log' | 'replay' | 'lossy' | undefined
  /**
   * What is asked for; with `cursor` where it goes on. An answer to a POST that starts the work is gone on with by another request.
   * @defaultValue GET `{url}/{id}`
   */
  request?: RequestHook | undefined
  /**
   * Where the cursor goes: a header, or a parameter of the URL, for the servers that have one (`lastEventId`, `last_event_id`, `after`, `startIndex`).
   * @defaultValue `'header'`: `Last-Event-ID`
   */
  cursor?: 'header' | { parameter: string } | undefined
  /** @defaultValue `'[DONE]'` */
  end?: EndRule | readonly EndRule[] | undefined
  /** What a message means; undefined: nothing. @defaultValue by its name */
  read?: ((message: Message) => Meaning | undefined) | undefined
  /** A status document: asked after each end of an answer that no rule has ended, and beside a silent one. */
  status?: DocumentOptions | undefined
  /** The server says something at least so often, in ms: 2.5 of these without a byte are a death. @defaultValue none: silence is no death */
  heartbeatMs?: number | undefined
}

/** What a splitter is told of the answer that it cuts. */
export interface Reading {
  /** What the server was asked to go on from; undefined: from the beginning. */
  cursor: string | undefined
  /** Only what comes next was asked for. */
  isTail: boolean
  response: Response
  take(message: Message): void
  /** How many messages that were had, and have no id, haven't come again. */
  left(): number
  /** To be called where the answer begins elsewhere: a `gap` says so. */
  lose(): void
  /** The same, where the server has to be asked anew, from the beginning. */
  restart(): void
}

/** Cuts the answers of a reading into messages. */
export interface Cut {
  feed(chunk: string): void
  /** The answer has ended. */
  rest(response: Response): void
}

/** How one kind of answer is asked for, and cut into messages. */
export interface Splitter {
  name: string
  accept?: string
  traits?: TransportTraits
  /** For a reading that asks again and again: the pause before the next request, in ms. Absent: one answer is all. */
  pauseMs?: number
  /** In place of the options' own. */
  request?: RequestHook
  /** Makes an answer that can be read of what the server says by a status alone. */
  adapt?(response: Response): Response
  /** In place of a request by fetch. */
  connect?(request: OpenRequest, url: URL): Promise<Answer>
  /** Called for the first answer of a reading. */
  split(reading: Reading): Cut
}

/** What a backend knows of its servers beside what an application says. */
export interface StreamDetails extends Omit<StreamOptions, 'cursor'> {
  /** `none`: `request` puts it where it belongs. */
  cursor?: StreamOptions['cursor'] | 'none'
  /** Statuses that refuse the stream for good: the document is polled from then on. */
  refusals?: readonly number[]
  /** The document is asked first whether there is such a job: the stream doesn't tell. */
  asksFirst?: boolean
  /** What a document's end becomes, given the last message before it. */
  settle?(end: Meaning, last: Message | undefined): Meaning
}

/** The longest message taken: 16 Mi characters. */
export const MAX_MESSAGE_CHARS: number = 2 ** 24
