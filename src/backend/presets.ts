/** Status documents of widespread servers: what each field means, and which values end the job. */

import { TransportError } from '../errors.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Backend } from '../types.ts'
import type { DocumentEvents } from './document.ts'
import { addressOf, pathOf } from './foreign.ts'
import { type StatusPollOptions, statusPoll } from './status-poll.ts'

/** The options of `statusPoll`, except `read`, which the preset defines. */
export type PresetOptions = Omit<StatusPollOptions, 'read'>

type Fields = Record<string, unknown>
const fieldsOf = (document: unknown): Fields => Object(document)
/** Requires a string field. Another document, such as a login page's JSON, would otherwise look like a job that never ends. */
function requireString(name: string, document: unknown): Fields {
  const fields = fieldsOf(document)
  if (typeof fields[name] !== 'string') throw new TransportError('protocol', `${name}: expected a string, got ${JSON.stringify(fields[name]) ?? 'nothing'}`)
  return fields
}
const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : value == null ? otherwise : JSON.stringify(value))
const failed = (code: unknown, message: unknown): DocumentEvents => [
  ['failed', { code: textOf(code, 'failed'), message: textOf(message, 'the job has failed') }]
]
/** The ratio of a percentage, which may be a text; `undefined` where it is none. */
function ratioOf(percentage: unknown): { ratio: number } | undefined {
  const part = Number.parseFloat(`${percentage}`)
  return Number.isNaN(part) ? undefined : { ratio: Math.min(1, Math.max(0, part / 100)) }
}
const progressOf = (progress: unknown): DocumentEvents => (progress === undefined ? [] : [['progress', progress]])
const unexpected = (document: unknown): TransportError =>
  new TransportError('protocol', `expected a status document, got ${JSON.stringify(document)?.slice(0, 100)}`)

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

/** Follows Laravel's batches, by a route that returns `Bus::findBatch($id)`. The job id is the batch's id, its result the batch. */
export const laravelBatch = (options: PresetOptions = {}): Backend =>
  statusPoll({
    ...options,
    read(document) {
      // Of a batch that is not there, Laravel makes `null`, an empty answer, or by `response()->json()` an empty object.
      if (Object.keys(fieldsOf(document)).length === 0) return undefined
      const { totalJobs, processedJobs, failedJobs, cancelledAt, finishedAt, options: batch } = fieldsOf(document)
      if (totalJobs === undefined) throw unexpected(document)
      const progress: DocumentEvents = Number(totalJobs) > 0 ? [['progress', { current: processedJobs, total: totalJobs }]] : []
      const failures = Number(failedJobs)
      // A batch that allows no failures is cancelled by the first one, which sets both times at once: failures are checked before them.
      if ((cancelledAt || finishedAt) && failures > 0 && !fieldsOf(batch).allowFailures)
        return [...progress, ...failed('failed', `${failures} of ${totalJobs} jobs failed`)]
      if (cancelledAt) return [...progress, ['cancelled', {}]]
      return finishedAt ? [...progress, ['succeeded', document]] : [[Number(processedJobs) > 0 ? 'started' : 'queued', {}], ...progress]
    }
  })

/**
 * Follows Celery tasks by Django's celery-progress. The job id is the task's id. It reads `state`, not `complete`, which is true too for a
 * task that is retried and for a task's own states. There is no start and no cancel.
 */
export const celeryProgress = (options: PresetOptions = {}): Backend =>
  statusPoll({
    pollMs: 500,
    // Without the trailing slash Django redirects.
    request: (job, { base }) => addressOf(job, base, ''),
    ...options,
    read(document) {
      const { state, complete, success, result, progress } = fieldsOf(document)
      const { current, total, percent: part, description } = fieldsOf(progress)
      const { next_retry_seconds: seconds, message } = fieldsOf(result)
      switch (state) {
        case 'PENDING':
          return [['queued', {}]]
        case 'STARTED':
          return [['started', {}]]
        case 'PROGRESS':
          return [['progress', { current, total, ...ratioOf(part), ...(description ? { message: description } : {}) }]]
        case 'RETRY':
          return [['retrying', { message, ...(Number.isFinite(seconds) && { inMs: Number(seconds) * 1000 }) }]]
        case 'SUCCESS':
          return [['succeeded', result]]
        case 'FAILURE':
          return failed(undefined, result)
        case 'REVOKED':
          return [['cancelled', { reason: result }]]
        case 'IGNORED':
          return [['succeeded', null]]
        case undefined: // a group has nothing but `complete`
          if (complete === undefined) throw unexpected(document)
          if (!complete) return [['progress', { current, total }]]
          return success ? [['succeeded', null]] : failed(undefined, 'a task of the group has failed')
        default:
          return [['progress', { stage: state }]]
      }
    }
  })

const mcp = (method: string, taskId: string, base: URL) => ({
  url: base,
  headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': taskId },
  body: {
    jsonrpc: '2.0',
    id: 1,
    method,
    params: { taskId, _meta: { 'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } } } }
  }
})

/**
 * Follows a task of the Model Context Protocol (the draft of its tasks extension). `url` is the server's endpoint, the job id the task's
 * id. Answers have to be JSON.
 */
export const mcpTask = (options: PresetOptions = {}): Backend =>
  statusPoll({
    request: (job, { base }) => mcp('tasks/get', job, base),
    cancel: (job, { base }) => mcp('tasks/cancel', job, base),
    ...options,
    read(document, { pauseMs }) {
      const { result: task, error: refusal } = fieldsOf(document)
      if (fieldsOf(refusal).code === -32602) return undefined
      if (refusal) throw new TransportError('protocol', `the server said ${JSON.stringify(refusal)}`)
      const { status, statusMessage, pollIntervalMs, result, error, inputRequests } = requireString('status', task)
      pauseMs(Number(pollIntervalMs))
      const progress: DocumentEvents = typeof statusMessage === 'string' ? [['progress', { message: statusMessage }]] : []
      switch (status) {
        case 'input_required':
          return [...progress, ['waiting', { for: 'input', prompt: inputRequests }]]
        case 'completed': {
          const { isError, content } = fieldsOf(result)
          const [first] = Array.isArray(content) ? content : []
          return isError ? failed('tool', fieldsOf(first).text) : [['succeeded', result]]
        }
        case 'failed':
          return failed(fieldsOf(error).code, fieldsOf(error).message)
        case 'cancelled':
          return [['cancelled', statusMessage ? { reason: statusMessage } : {}]]
        default:
          return [['started', {}], ...progress]
      }
    }
  })

/** Follows jobs of a Jobtail server by their snapshots, for networks that let nothing but single requests through. It sees states, not the log. */
export const jobtailSnapshot = (options: PresetOptions = {}): Backend =>
  statusPoll({
    cancel: (job, { base }) => ({ url: pathOf(addressOf(job, base), ['cancel']), method: 'POST' }),
    start: (input, key, base) => ({ url: base, body: input ?? null, headers: { 'idempotency-key': key } }),
    idOf: (document) => fieldsOf(document).id as string, // as: the caller checks it
    ...options,
    read(document) {
      const { status, progress, result, error } = requireString('status', document)
      const said: DocumentEvents = progress ? [['progress', progress]] : []
      if (isTerminal(`${status}`)) return [...said, [`${status}`, status === 'succeeded' ? result : error]]
      return [[status === 'queued' ? status : 'started', {}], ...said]
    }
  })
