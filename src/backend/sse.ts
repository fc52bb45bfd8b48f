/** Event streams (WHATWG HTML §9.2), cut into messages. */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import { type Message, messageOf } from './message.ts'
import { MAX_MESSAGE_CHARS, type Reading, type Splitter } from './stream-options.ts'

/** `each`: hands a message on, or what it stands for. */
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
      onEvent: ({ event = 'message', data, id }) => take(messageOf(event, data, id)),
      onComment: onComment && ((comment) => onComment(comment, reading)),
      onError({ type, message }) {
        if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
      }
    })
    // What no blank line has ended is no event.
    return { feed: (chunk) => parser.feed(chunk), rest() {} }
  }
})
