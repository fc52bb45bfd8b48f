/** Streams of other servers: lines, each a JSON value. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { parseMessage } from './message.ts'
import { streamBackend } from './stream.ts'
import { MAX_MESSAGE_CHARS, type StreamOptions } from './stream-options.ts'

/** Options of `ndjson`. */
export interface NdjsonOptions extends StreamOptions {
  /**
   * The field of each value that is the server's cursor. Where there is none, `promises` has to be `replay` or `lossy`.
   * @defaultValue `'id'`
   */
  idField?: string | undefined
}

/** Follows jobs by NDJSON, JSON Lines, or any other stream of one JSON value per line. An empty line is a heartbeat. */
export const ndjson = ({ idField = 'id', ...options }: NdjsonOptions = {}): Backend =>
  streamBackend(options, [
    {
      name: 'ndjson',
      accept: 'application/x-ndjson, application/ndjson, application/jsonl, application/json, text/plain',
      split({ take }) {
        let rest = ''
        const add = (line: string): void => {
          if (!line.trim()) return // a heartbeat
          const message = parseMessage('message', line.trim(), undefined)
          const id = Object(message.data)[idField] as unknown // as: of any JSON
          // A number beyond 2⁵³ was rounded, so it is another message's id.
          take(typeof id === 'string' || (typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER) ? { ...message, id: `${id}` } : message)
        }
        return {
          feed(chunk) {
            const lines = (rest + chunk).split('\n')
            rest = lines.pop() ?? ''
            for (const line of lines) add(line)
            if (rest.length > MAX_MESSAGE_CHARS) throw new TransportError('protocol', `a line of more than ${MAX_MESSAGE_CHARS} characters`)
          },
          rest: () => add(rest)
        }
      }
    }
  ])
