/** Status documents of clouds' long-running operations: what each field means, and which values end the job. */

import type { Backend } from '../types.ts'
import type { DocumentEvents } from './document.ts'
import { addressOf, pathOf } from './foreign.ts'
import { failed, fieldsOf, type PresetOptions, progressOf, ratioOf, requireString, unexpected } from './status-fields.ts'
import { statusPoll } from './status-poll.ts'

/** Options of `microsoftLro`. */
export interface MicrosoftLroOptions extends PresetOptions {
  /**
   * Returns the URL of the operation's resource, which is read where a `Succeeded` operation has no `result`.
   * @defaultValue the result is then `null`
   */
  resource?: ((job: string, document: unknown) => string | URL) | undefined
}

/**
 * Follows the status monitors of Microsoft's REST guidelines: `{ status, percentComplete?, result?, error? }`. The job id is the
 * operation's id, or its `Operation-Location`. `start` posts its input to `url`, with the key as `Operation-Id`. There is no cancel.
 */
export const microsoftLro = ({ resource, ...options }: MicrosoftLroOptions = {}): Backend =>
  statusPoll({
    start: (input, key, base) => ({ url: base, body: input, headers: { 'operation-id': key } }),
    ...options,
    async read(document, { get, job }) {
      const { status, result, error, percentComplete } = requireString('status', document)
      // Services spell the words in their own way: Microsoft Graph has `notStarted`, others `Cancelled`.
      switch (`${status}`.toLowerCase()) {
        case 'notstarted':
          return [['queued', {}]]
        case 'succeeded':
          return [['succeeded', result ?? (resource && (await get(resource(job, document))))]]
        case 'failed':
          return failed(fieldsOf(error).code, fieldsOf(error).message)
        case 'canceled':
        case 'cancelled':
          return [['cancelled', {}]]
        default: // services add values of their own, which are not final
          return [['started', {}], ...progressOf(ratioOf(percentComplete))]
      }
    }
  })

/** Options of `googleLro`. */
export interface GoogleLroOptions extends PresetOptions {
  /**
   * Returns the progress in a service's `metadata`.
   * @defaultValue its `progressPercent` or `progressPercentage`
   */
  progress?: ((metadata: unknown) => unknown) | undefined
}

const namedOf = (job: string, base: URL, method = ''): URL => pathOf(base, `${job.split('/').map(encodeURIComponent).join('/')}${method}`.split('/'))
const percentIn = (metadata: unknown): unknown => ratioOf(fieldsOf(metadata).progressPercentage ?? fieldsOf(metadata).progressPercent)

/** Follows Google's long-running operations (AIP-151). The job id is the operation's `name`, such as `operations/o1`. */
export const googleLro = ({ progress = percentIn, ...options }: GoogleLroOptions = {}): Backend =>
  statusPoll({
    request: (job, { base }) => namedOf(job, base),
    cancel: (job, { base }) => ({ url: namedOf(job, base, ':cancel'), body: {} }),
    idOf: (document) => fieldsOf(document).name as string, // as: the caller checks it
    ...options,
    read(document) {
      const { name, done, error, response, metadata } = fieldsOf(document)
      if (name === undefined && done === undefined && metadata === undefined) throw unexpected(document)
      const { code, message } = fieldsOf(error)
      if (!done) return [['started', {}], ...progressOf(progress(metadata))]
      if (!error) return [['succeeded', response]]
      return code === 1 ? [['cancelled', { reason: message }]] : failed(code, message)
    }
  })

/** Options of `azureDurable`. */
export interface AzureDurableOptions extends PresetOptions {
  /**
   * Returns the progress in a `customStatus`.
   * @defaultValue none: the status is an event of type `customStatus`
   */
  progress?: ((customStatus: unknown) => unknown) | undefined
}

/**
 * Follows Azure's Durable Functions, through a proxy of your own, since their URLs contain a key. The job id is the instance's id, or its
 * status URL.
 */
export const azureDurable = ({ progress, ...options }: AzureDurableOptions = {}): Backend =>
  statusPoll({
    // With `returnInternalServerErrorOnFailure` a failed instance answers 500 with its document.
    takes: [500],
    cancel: (job, { base }) => ({ url: pathOf(addressOf(job, base), ['terminate']), method: 'POST' }),
    idOf: (document) => fieldsOf(document).id as string, // as: the caller checks it
    ...options,
    read(document) {
      const { runtimeStatus, customStatus, output } = requireString('runtimeStatus', document)
      const said: DocumentEvents = customStatus == null ? [] : [progress ? ['progress', progress(customStatus)] : ['customStatus', customStatus]]
      switch (runtimeStatus) {
        case 'Pending':
          return [['queued', {}], ...said]
        case 'Completed':
          return [...said, ['succeeded', output]]
        case 'Failed':
          return [...said, ...failed(undefined, output)]
        case 'Canceled':
        case 'Terminated':
          return [...said, ['cancelled', output == null ? {} : { reason: output }]]
        default: // Running, Suspended, ContinuedAsNew
          return [['started', {}], ...said]
      }
    }
  })
