/** Status documents that many servers have: what each field means, and which word is the end. */

import { TransportError } from '../errors.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Backend } from '../types.ts'
import type { Said } from './document.ts'
import { addressOf } from './foreign.ts'
import { type StatusPollOptions, statusPoll } from './status-poll.ts'

/** A preset's `request`, `start` and so on can be others; `read` is what it is for. */
export type PresetOptions = Omit<StatusPollOptions, 'read'>

type Fields = Record<string, unknown>
const fieldsOf = (document: unknown): Fields => Object(document)
/** Another document, as a login page's JSON is, would run for ever. */
function having(name: string, document: unknown): Fields {
  const fields = fieldsOf(document)
  if (typeof fields[name] !== 'string') throw new TransportError('protocol', `${name}: expected a string, got ${JSON.stringify(fields[name]) ?? 'nothing'}`)
  return fields
}
const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : value == null ? otherwise : JSON.stringify(value))
const failed = (code: unknown, message: unknown): Said => [['failed', { code: textOf(code, 'failed'), message: textOf(message, 'the job has failed') }]]
const percent = (value: unknown): Said => (typeof value === 'number' ? [['progress', { ratio: value / 100 }]] : [])

export interface MicrosoftLroOptions extends PresetOptions {
  /** Where the resource is that the operation has made: read where a `Succeeded` one has no `result`. */
  resource?: ((job: string, document: unknown) => string | URL) | undefined
}

/** The status monitors of Microsoft's REST guidelines: `{ status, percentComplete?, result?, error? }`. The id is the operation's, or its `Operation-Location`. */
export const microsoftLro = ({ resource, ...options }: MicrosoftLroOptions = {}): Backend =>
  statusPoll({
    start: (input, key, base) => ({ url: base, body: input, headers: { 'operation-id': key } }),
    ...options,
    async read(document, { get, job }) {
      const { status, result, error, percentComplete } = having('status', document)
      switch (status) {
        case 'NotStarted':
          return [['queued', {}]]
        case 'Succeeded':
          return [['succeeded', result ?? (resource && (await get(resource(job, document))))]]
        case 'Failed':
          return failed(fieldsOf(error).code, fieldsOf(error).message)
        case 'Canceled':
          return [['cancelled', {}]]
        default: // services add others, none of them an end
          return [['started', {}], ...percent(percentComplete)]
      }
    }
  })

export interface GoogleLroOptions extends PresetOptions {
  /** The progress that a service has in its `metadata`. @defaultValue its `progressPercent` or `progressPercentage` */
  progress?: ((metadata: unknown) => unknown) | undefined
}

const namedOf = (job: string, base: URL): string => `${base.href.replace(/\/+$/, '')}/${job.split('/').map(encodeURIComponent).join('/')}`
const percentIn = (metadata: unknown): unknown => {
  const { progressPercent, progressPercentage = progressPercent } = fieldsOf(metadata)
  return typeof progressPercentage === 'number' ? { ratio: progressPercentage / 100 } : undefined
}

/** Google's long-running operations (AIP-151). The id is the operation's `name`, such as `operations/o1`. */
export const googleLro = ({ progress = percentIn, ...options }: GoogleLroOptions = {}): Backend =>
  statusPoll({
    request: (job, { base }) => namedOf(job, base),
    cancel: (job, { base }) => ({ url: `${namedOf(job, base)}:cancel`, body: {} }),
    idOf: (document) => fieldsOf(document).name as string, // as: checked by whoever asks
    ...options,
    read(document) {
      const { done, error, response, metadata } = fieldsOf(document)
      const { code, message } = fieldsOf(error)
      const known = progress(metadata)
      if (!done) return [['started', {}], ...(known === undefined ? [] : [['progress', known] as const])]
      if (!error) return [['succeeded', response]]
      return code === 1 ? [['cancelled', { reason: message }]] : failed(code, message)
    }
  })

export interface AzureDurableOptions extends PresetOptions {
  /** The progress in a `customStatus`. @defaultValue none: it comes as an event `customStatus` */
  progress?: ((customStatus: unknown) => unknown) | undefined
}

/** Azure's Durable Functions, behind your own proxy, since their URLs carry a key. The id is the instance's, or its status URL. */
export const azureDurable = ({ progress, ...options }: AzureDurableOptions = {}): Backend =>
  statusPoll({
    // With `returnInternalServerErrorOnFailure` a failed instance is a 500, whose body is good.
    takes: [500],
    cancel: (job, { base }) => ({ url: addressOf(job, base, 'terminate'), method: 'POST' }),
    idOf: (document) => fieldsOf(document).id as string, // as: the same
    ...options,
    read(document) {
      const { runtimeStatus, customStatus, output } = having('runtimeStatus', document)
      const said: Said = customStatus == null ? [] : [progress ? ['progress', progress(customStatus)] : ['customStatus', customStatus]]
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

/** A route that answers with Laravel's `Bus::findBatch($id)`. */
export const laravelBatch = (options: PresetOptions = {}): Backend =>
  statusPoll({
    ...options,
    read(document) {
      if (document === null) return undefined
      const { totalJobs, processedJobs, failedJobs, cancelledAt, finishedAt, options: batch } = fieldsOf(document)
      const progress: Said = Number(totalJobs) > 0 ? [['progress', { current: processedJobs, total: totalJobs }]] : []
      const failures = Number(failedJobs)
      // The first failure cancels a batch that doesn't allow any, and sets both times at once: so it is looked at first.
      if ((cancelledAt || finishedAt) && failures > 0 && !fieldsOf(batch).allowFailures)
        return [...progress, ...failed('failed', `${failures} of ${totalJobs} jobs failed`)]
      if (cancelledAt) return [...progress, ['cancelled', {}]]
      return finishedAt ? [...progress, ['succeeded', document]] : [[Number(processedJobs) > 0 ? 'started' : 'queued', {}], ...progress]
    }
  })

/** Django's celery-progress. Its `complete` is no end: it is true for a task that is tried again, and for states of the task's own. */
export const celeryProgress = (options: PresetOptions = {}): Backend =>
  statusPoll({
    pollMs: 500,
    // As Django has it: without the slash it redirects.
    request: (job, { base }) => `${addressOf(job, base)}/`,
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
          return [['progress', { current, total, ...(typeof part === 'number' && { ratio: part / 100 }), ...(description ? { message: description } : {}) }]]
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
        case undefined: // a group: `complete` is all it says
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

/** A task of the Model Context Protocol (draft of its tasks extension). `url` is the server's endpoint, the id the task's. */
export const mcpTask = (options: PresetOptions = {}): Backend =>
  statusPoll({
    request: (job, { base }) => mcp('tasks/get', job, base),
    cancel: (job, { base }) => mcp('tasks/cancel', job, base),
    ...options,
    read(document, { pauseMs }) {
      const { result: task, error: refused } = fieldsOf(document)
      if (fieldsOf(refused).code === -32602) return undefined
      if (refused) throw new TransportError('protocol', `the server said ${JSON.stringify(refused)}`)
      const { status, statusMessage, pollIntervalMs, result, error, inputRequests } = having('status', task)
      if (typeof pollIntervalMs === 'number') pauseMs(pollIntervalMs)
      const progress: Said = typeof statusMessage === 'string' ? [['progress', { message: statusMessage }]] : []
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

/** The snapshots of a Jobtail server, for a network on which nothing but single requests gets through. */
export const jobtailSnapshot = (options: PresetOptions = {}): Backend =>
  statusPoll({
    cancel: (job, { base }) => ({ url: addressOf(job, base, 'cancel'), method: 'POST' }),
    start: (input, key, base) => ({ url: base, body: input ?? null, headers: { 'idempotency-key': key } }),
    idOf: (document) => fieldsOf(document).id as string, // as: the same
    ...options,
    read(document) {
      const { status, progress, result, error } = having('status', document)
      const said: Said = progress ? [['progress', progress]] : []
      if (isTerminal(`${status}`)) return [...said, [`${status}`, status === 'succeeded' ? result : error]]
      return [[status === 'queued' ? status : 'started', {}], ...said]
    }
  })
