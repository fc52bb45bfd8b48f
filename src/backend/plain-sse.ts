/** Event streams of other servers. */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { parseMessage } from './message.ts'
import { MAX_MESSAGE_CHARS, type StreamOptions, streamBackend } from './stream.ts'

/**
 * Follows jobs by the event stream of any server (WHATWG HTML §9.2). It is read with `fetch`, so with headers and POST, until a rule of
 * `end` ends the job.
 */
export const plainSse = (options: StreamOptions = {}): Backend =>
  streamBackend(options, {
    name: 'sse',
    accept: 'text/event-stream',
    split(take) {
      const parser = createParser({
        maxBufferSize: MAX_MESSAGE_CHARS,
        onEvent: ({ event = 'message', data, id }) => take(parseMessage(event, data, id)),
        onError({ type, message }) {
          if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
        }
      })
      // An event that no blank line has ended is dropped (WHATWG HTML §9.2.6).
      return { feed: (chunk) => parser.feed(chunk), rest() {} }
    }
  })
