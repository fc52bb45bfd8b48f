/** Predictions of Replicate, behind a proxy of the application's, since the key must not be in a page, and their API knows no CORS. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import type { Said } from './document.ts'
import { addressOf } from './foreign.ts'
import type { PresetOptions } from './presets.ts'
import { statusPoll } from './status-poll.ts'

export interface ReplicateOptions extends PresetOptions {
  /** The progress in what a model has printed so far; undefined: none. @defaultValue none */
  progress?: ((logs: string) => unknown) | undefined
}

interface Prediction {
  status?: unknown
  output?: unknown
  error?: unknown
  logs?: string | null
  completed_at?: string | null
}

/** A prediction says all that its model has printed, each time. Its last line may be half of one, unless it is over. */
function linesOf(logs: string, isOver: boolean): Said {
  const lines = logs.split('\n')
  const last = lines.pop()
  if (isOver && last) lines.push(last)
  return lines.map((message, index) => ['log', { level: 'info', message }, ['logs', index]] as const)
}

function endOf({ status, output, error, completed_at: time }: Prediction): Said {
  const failed = ['failed', { code: 'failed', message: typeof error === 'string' ? error : JSON.stringify(error ?? 'the prediction has failed') }] as const
  switch (status) {
    case 'succeeded':
      return [['succeeded', output]]
    case 'failed':
      return [failed]
    case 'canceled':
    case 'aborted':
      return [['cancelled', {}]]
    default:
      // A word that nobody knows, and all the same it is over.
      if (!time) return []
      return error ? [failed] : output == null ? [['cancelled', {}]] : [['succeeded', output]]
  }
}

/** Follows predictions by `GET {url}/{id}`. Promises `state`. */
export const replicate = ({ progress, ...options }: ReplicateOptions = {}): Backend =>
  statusPoll({
    cancel: (job, { base }) => ({ url: addressOf(job, base, 'cancel'), method: 'POST' }),
    idOf: (document) => Object(document).id,
    ...options,
    read(document) {
      const prediction: Prediction = Object(document)
      const { status, output, logs } = prediction
      if (typeof status !== 'string') throw new TransportError('protocol', `status: expected a string, got ${JSON.stringify(status) ?? 'nothing'}`)
      const end = endOf(prediction)
      const known = logs ? progress?.(logs) : undefined
      return [
        [status === 'starting' ? 'queued' : 'started', {}],
        ...linesOf(logs ?? '', end.length > 0),
        ...(known === undefined ? [] : ([['progress', known]] as const)),
        ...(Array.isArray(output) ? output.map((item, index) => ['output', item, ['output', index]] as const) : []),
        ...end
      ]
    }
  })
