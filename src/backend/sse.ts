/** Splits event streams into messages (WHATWG HTML §9.2). */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import { type Message, parseMessage } from './message.ts'
import { MAX_MESSAGE_CHARS, type Reading, type Splitter } from './stream-options.ts'

/** Makes a splitter. `each` makes what takes the messages of a reading; by default, the reading itself. `onComment` is given the stream's comments. */
export const sse = (
  each: (reading: Reading) => (message: Message) => void = ({ take }) => take,
  onComment?: (comment: string, reading: Reading) => void
): Splitter => ({
  name: 'sse',
  accept: 'text/event-stream',
  split(reading) {
    const take = each(reading)
    const parser = createParser({
      maxBufferSize: MAX_MESSAGE_CHARS,
      onEvent: ({ event = 'message', data, id }) => take(parseMessage(event, data, id)),
      onComment: onComment && ((comment) => onComment(comment, reading)),
      onError({ type, message }) {
        if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
      }
    })
    // An event that no blank line has ended is dropped (WHATWG HTML §9.2.6).
    return { feed: (chunk) => parser.feed(chunk), rest() {} }
  }
})
