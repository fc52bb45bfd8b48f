/** UI message streams of the AI SDK (vercel/ai, packages/ai/src/ui-message-stream), and of the Workflow SDK, which has a cursor. */

import type { Backend } from '../types.ts'
import { addressOf } from './foreign.ts'
import { defaultMeaning, type JobEventTuple, type Message } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

/** Options of `aiSdk` and `workflow`: those of `plainSse`, except what the stream itself defines. */
export type AiSdkOptions = Omit<StreamOptions, 'promises' | 'cursor' | 'end'>

interface Chunk {
  type?: string
  finishReason?: string
  reason?: string
  errorText?: string
  data?: unknown
}

const chunkOf = ({ data }: Message): Chunk => Object(data)

/** How a chunk ends the job. `[DONE]` does not: it only says that the body is complete. */
function endOf(message: Message): JobEventTuple | undefined {
  const { type, finishReason, reason, errorText } = chunkOf(message)
  if (type === 'error' || (type === 'finish' && finishReason === 'error')) return ['failed', { code: 'failed', message: errorText ?? 'the model has failed' }]
  if (type === 'finish') return ['succeeded', message.data]
  return type === 'abort' ? ['cancelled', reason === undefined ? {} : { reason }] : undefined
}

function eventOf(message: Message): JobEventTuple | undefined {
  const { type, data } = chunkOf(message)
  if (message.text === '[DONE]') return undefined
  if (type === 'start') return ['started', message.data]
  if (type === 'text-delta') return ['output', message.data]
  return type === 'data-progress' ? ['progress', data] : defaultMeaning(message)
}

/**
 * Follows chats of the AI SDK by the route that resumes their stream, `GET {url}/{id}/stream`. The job id is the chat's id. Each answer
 * begins at the first chunk. Promises `replay`, for as long as the server keeps the stream.
 */
export const aiSdk = ({ request = (chat, { base }) => addressOf(chat, base, 'stream'), read = eventOf, ...options }: AiSdkOptions = {}): Backend =>
  streamBackend({ ...options, request, read, end: endOf, promises: 'replay' }, [sse()])

/**
 * Follows runs of the Workflow SDK by `GET {url}/{id}/stream?startIndex=n`. The job id is the run's id, the cursor the index of the next
 * chunk. Promises `log`.
 */
export const workflow = ({ request = (run, { base }) => addressOf(run, base, 'stream'), read = eventOf, ...options }: AiSdkOptions = {}): Backend =>
  streamBackend({ ...options, request, read, end: endOf, cursor: { parameter: 'startIndex' }, takesTail: false }, [
    sse(({ cursor = '0', take }) => {
      let next = Number(cursor)
      return (message) => {
        if (message.text !== '[DONE]') take({ ...message, id: `${++next}` })
      }
    })
  ])
