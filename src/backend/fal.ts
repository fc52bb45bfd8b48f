/** Requests of fal's queue, through a proxy of the application, since their API needs a key. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { changeFeedBy } from './change-feed.ts'
import type { DocumentEvents, ReadContext } from './document.ts'
import { addressOf, pathOf } from './foreign.ts'
import type { PresetOptions } from './status-fields.ts'
import { documentBackend } from './status-poll.ts'

/** Options of `fal`. */
export interface FalOptions extends PresetOptions {
  /**
   * The URL of a request's response, which is read once the request is completed.
   * @defaultValue `{url}/{id}`
   */
  response?: ((job: string, base: URL) => string | URL) | undefined
}

interface FalLog {
  message?: string
  level?: string | null
}

const withLogs = (url: URL): URL => pathOf(url, [], { logs: '1' })
const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : value == null ? otherwise : JSON.stringify(value))

/** The end of a completed request. Only its response tells whether it has failed. */
async function resultOf(look: ReadContext, url: string | URL): Promise<DocumentEvents> {
  const result = await look.get(url)
  if (look.response.ok) return [['succeeded', result]]
  const { detail, error_type: kind } = Object(result)
  if (detail === undefined)
    throw new TransportError('status', `expected the response of ${look.job}, got status ${look.response.status}`, { status: look.response.status })
  return [
    [
      'failed',
      {
        code: textOf(kind ?? look.response.headers.get('x-fal-error-type'), look.response.status === 422 ? 'invalid-input' : 'failed'),
        message: textOf(detail, '')
      }
    ]
  ]
}

/**
 * Follows requests of fal's queue by `GET {url}/{id}/status`, through a proxy of your own, since fal's API needs a key. The job id is the
 * `request_id`. The status is read again whenever its stream, `{url}/{id}/status/stream`, has a message. Promises `state`.
 */
export const fal = ({ response = (job, base) => addressOf(job, base), ...options }: FalOptions = {}): Backend =>
  documentBackend({
    pollMs: 500,
    request: (job, { base }) => withLogs(addressOf(job, base, 'status')),
    // The statuses of a response: an input that the model refuses, a failure, and the timeout that the caller has set.
    takes: [422, 500, 504],
    cancel: (job, { base }) => ({ url: addressOf(job, base, 'cancel'), method: 'PUT' }),
    idOf: (document) => Object(document).request_id,
    changes: changeFeedBy((job, { base }) => withLogs(addressOf(job, base, 'status', 'stream'))),
    ...options,
    async read(document, look) {
      const { status, queue_position: position, logs } = Object(document)
      if (typeof status !== 'string') throw new TransportError('protocol', `status: expected a string, got ${JSON.stringify(status) ?? 'nothing'}`)
      if (status === 'IN_QUEUE') return [['queued', typeof position === 'number' ? { position } : {}]]
      const lines = ((logs ?? []) as FalLog[]).map(
        ({ message, level }, index) => ['log', { level: (level ?? 'info').toLowerCase(), message }, ['logs', index]] as const
      ) // as: the form of fal's API
      const said: DocumentEvents = [['started', {}], ...lines]
      return status === 'COMPLETED' ? [...said, ...(await resultOf(look, response(look.job, look.base)))] : said
    }
  })
