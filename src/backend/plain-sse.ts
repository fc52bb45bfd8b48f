/** Anybody's event stream. */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { messageOf } from './message.ts'
import { MAX_MESSAGE_CHARS, type StreamOptions, streamBackend } from './stream.ts'

/** Follows jobs by an event stream (WHATWG HTML §9.2) of any server: read by fetch, so with headers and POST, to the end that `end` knows. */
export const plainSse = (options: StreamOptions = {}): Backend =>
  streamBackend(options, {
    name: 'sse',
    accept: 'text/event-stream',
    split(take) {
      const parser = createParser({
        maxBufferSize: MAX_MESSAGE_CHARS,
        onEvent: ({ event = 'message', data, id }) => take(messageOf(event, data, id)),
        onError({ type, message }) {
          if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
        }
      })
      // What no blank line has ended is no event.
      return { feed: (chunk) => parser.feed(chunk), rest() {} }
    }
  })
