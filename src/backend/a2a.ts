/** Tasks of the Agent2Agent protocol 1.0, by either of its bindings to HTTP. */

import { TransportError } from '../errors.ts'
import type { Backend } from '../types.ts'
import { changeFeedBy } from './change-feed.ts'
import type { DocumentEvents } from './document.ts'
import { type ForeignRequest, pathOf, type RequestHook } from './foreign.ts'
import type { PresetOptions } from './status-fields.ts'
import { documentBackend } from './status-poll.ts'

/** Options of `a2a`: those of `statusPoll`, except `request`, `read` and `cancel`, which the protocol defines. */
export interface A2aOptions extends Omit<PresetOptions, 'request' | 'cancel'> {
  /**
   * The binding that the agent offers at `url`: HTTP+JSON, or JSON-RPC.
   * @defaultValue `'http'`
   */
  binding?: 'http' | 'json-rpc' | undefined
}

interface Part {
  text?: string
}

interface Task {
  status?: { state?: string; message?: { parts?: Part[] } }
  artifacts?: { artifactId?: string; name?: string; parts?: Part[] }[]
}

const VERSION = { 'a2a-version': '1.0' }
/** The JSON-RPC error for a task that the agent does not know. */
const UNKNOWN = -32001

const http =
  (method = '', parameters: Record<string, string> = {}, isPost = false): RequestHook =>
  (task, { base }): ForeignRequest => ({
    url: pathOf(base, ['tasks', `${encodeURIComponent(task)}${method}`], parameters),
    headers: VERSION,
    ...(isPost && { body: {} })
  })

const rpc =
  (method: string, params: object = {}): RequestHook =>
  (task, { base }): ForeignRequest => ({ url: base, headers: VERSION, body: { jsonrpc: '2.0', id: 1, method, params: { id: task, ...params } } })

const BINDINGS = {
  http: [http('', { historyLength: '0' }), http(':cancel', {}, true), http(':subscribe')],
  'json-rpc': [rpc('GetTask', { historyLength: 0 }), rpc('CancelTask'), rpc('SubscribeToTask')]
} as const

/** Each part of an artifact is an event, once. */
const outputOf = ({ artifacts = [] }: Task): DocumentEvents =>
  artifacts.flatMap(({ parts = [], artifactId, name }, at) =>
    parts.map((part, index) => ['output', { artifactId, ...(name && { name }), parts: [part], append: index > 0 }, [`artifact${at}`, index]] as const)
  )

function eventsOf(task: Task): DocumentEvents {
  const { state, message } = task.status ?? {}
  if (typeof state !== 'string') throw new TransportError('protocol', `status.state: expected a string, got ${JSON.stringify(state) ?? 'nothing'}`)
  const text = message?.parts?.map((part) => part.text ?? '').join('')
  const failed = (code: string): DocumentEvents => [['failed', { code, message: text || 'the task has failed' }]]
  const output = outputOf(task)
  switch (state) {
    case 'TASK_STATE_SUBMITTED':
      return [['queued', {}]]
    case 'TASK_STATE_COMPLETED':
      return [...output, ['succeeded', task.artifacts ?? []]]
    case 'TASK_STATE_FAILED':
      return [...output, ...failed('failed')]
    case 'TASK_STATE_REJECTED':
      return failed('rejected')
    case 'TASK_STATE_CANCELED':
      return [...output, ['cancelled', text ? { reason: text } : {}]]
    case 'TASK_STATE_INPUT_REQUIRED':
    case 'TASK_STATE_AUTH_REQUIRED':
      return [...output, ['waiting', { for: state === 'TASK_STATE_AUTH_REQUIRED' ? 'auth' : 'input', prompt: text }]]
    default:
      return [['started', {}], ...(text ? ([['progress', { message: text }]] as const) : []), ...output]
  }
}

/**
 * Follows tasks of an agent that speaks the Agent2Agent protocol 1.0. The job id is the task's id. The task is read again whenever its
 * stream has a message. Promises `state`.
 */
export function a2a({ binding = 'http', ...options }: A2aOptions = {}): Backend {
  const [request, cancel, subscribe] = BINDINGS[binding]
  return documentBackend({
    request,
    cancel,
    idOf(document) {
      const { task, result = { task } } = Object(document)
      return Object(result).task?.id
    },
    changes: changeFeedBy(subscribe),
    ...options,
    read(document) {
      if (binding === 'http') return eventsOf(Object(document))
      const { result, error } = Object(document)
      if (Object(error).code === UNKNOWN) return undefined
      if (error) throw new TransportError('protocol', `the agent said ${JSON.stringify(error)}`)
      return eventsOf(Object(result))
    }
  })
}
