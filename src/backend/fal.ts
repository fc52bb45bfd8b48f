/** Requests of fal's queue, behind a proxy of the application's, since the key must not be in a page. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import type { Look, Said } from './document.ts'
import { addressOf } from './foreign.ts'
import type { PresetOptions } from './presets.ts'
import { documentBackend } from './status-poll.ts'
import { alarmBy } from './wake.ts'

export interface FalOptions extends PresetOptions {
  /** Where the result is. @defaultValue `{url}/{id}` */
  response?: ((job: string, base: URL) => string | URL) | undefined
}

interface FalLog {
  message?: string
  level?: string
}

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : value == null ? otherwise : JSON.stringify(value))

/** A request that is completed may have failed: only its response tells. */
async function resultOf(look: Look, url: string | URL): Promise<Said> {
  const result = await look.get(url)
  if (look.response.ok) return [['succeeded', result]]
  const { detail, error_type: kind } = Object(result)
  if (detail === undefined)
    throw new TransportError('status', `the response of ${look.job} was answered with ${look.response.status}`, { status: look.response.status })
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

/** Follows requests of fal's queue by `GET {url}/{id}/status`, and its stream. Promises `state`. */
export const fal = ({ response = (job, base) => addressOf(job, base), ...options }: FalOptions = {}): Backend =>
  documentBackend({
    pollMs: 500,
    request: (job, { base }) => `${addressOf(job, base, 'status')}?logs=1`,
    // What a model refuses, what has failed in it, and the caller's own time-out.
    takes: [422, 500, 504],
    cancel: (job, { base }) => ({ url: addressOf(job, base, 'cancel'), method: 'PUT' }),
    idOf: (document) => Object(document).request_id,
    alarm: alarmBy((job, { base }) => `${addressOf(job, base, 'status', 'stream')}?logs=1`),
    ...options,
    async read(document, look) {
      const { status, queue_position: position, logs } = Object(document)
      if (typeof status !== 'string') throw new TransportError('protocol', `status: expected a string, got ${JSON.stringify(status) ?? 'nothing'}`)
      if (status === 'IN_QUEUE') return [['queued', typeof position === 'number' ? { position } : {}]]
      const lines = ((logs ?? []) as FalLog[]).map(
        ({ message, level = 'info' }, index) => ['log', { level: level.toLowerCase(), message }, ['logs', index]] as const
      ) // as: fal's
      const said: Said = [['started', {}], ...lines]
      return status === 'COMPLETED' ? [...said, ...(await resultOf(look, response(look.job, new URL('..', look.response.url))))] : said
    }
  })
