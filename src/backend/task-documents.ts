/** Status documents of task queues and of single servers: what each field means, and which values end the job. */

import { TransportError } from '../errors.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Backend } from '../types.ts'
import type { DocumentEvents } from './document.ts'
import { addressOf, pathOf } from './foreign.ts'
import { failed, fieldsOf, type PresetOptions, ratioOf, requireString, unexpected } from './status-fields.ts'
import { statusPoll } from './status-poll.ts'

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
