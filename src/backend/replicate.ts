/** Predictions of Replicate, through a proxy of the application, since their API needs a key and has no CORS. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import type { DocumentEvents } from './document.ts'
import { addressOf, pathOf } from './foreign.ts'
import type { PresetOptions } from './status-fields.ts'
import { statusPoll } from './status-poll.ts'

/** Options of `replicate`. */
export interface ReplicateOptions extends PresetOptions {
  /**
   * Returns the progress in what a model has printed so far; `undefined`: there is none in it.
   * @defaultValue no progress
   */
  progress?: ((logs: string) => unknown) | undefined
}

interface Prediction {
  status?: unknown
  output?: unknown
  error?: unknown
  logs?: string | null
  completed_at?: string | null
}

/** The lines that the model has printed. The last one may be unfinished, so it counts once the prediction is over. */
function linesOf(logs: string, isOver: boolean): DocumentEvents {
  const lines = logs.split(/\r?\n/)
  const last = lines.pop()
  if (isOver && last) lines.push(last)
  return lines.map((message, index) => ['log', { level: 'info', message }, ['logs', index]] as const)
}

function endOf({ status, output, error, completed_at: time }: Prediction): DocumentEvents {
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
      // A status that Replicate adds later may end a prediction too: then it has a time of completion.
      if (!time) return []
      return error ? [failed] : output == null ? [['cancelled', {}]] : [['succeeded', output]]
  }
}

/**
 * Follows predictions of Replicate by `GET {url}/{id}`, through a proxy of your own, since the API needs a key. The job id is the
 * prediction's id. Promises `state`.
 */
export const replicate = ({ progress, ...options }: ReplicateOptions = {}): Backend =>
  statusPoll({
    cancel: (job, { base }) => ({ url: pathOf(addressOf(job, base), ['cancel']), method: 'POST' }),
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
