/** The AI SDK's UI message streams (vercel/ai, packages/ai/src/ui-message-stream), by the route that resumes them; and the Workflow SDK's, which has a cursor. */

import type { Backend } from '../types.ts'
import { addressOf } from './foreign.ts'
import { type Meaning, type Message, meaningOf } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

export type AiSdkOptions = Omit<StreamOptions, 'promises' | 'cursor' | 'end'>

interface Chunk {
  type?: string
  finishReason?: string
  reason?: string
  errorText?: string
  data?: unknown
}

const chunkOf = ({ data }: Message): Chunk => Object(data)

/** The first of these ends the job. `[DONE]` says no more than that the body is whole. */
function endOf(message: Message): Meaning | undefined {
  const { type, finishReason, reason, errorText } = chunkOf(message)
  if (type === 'error' || (type === 'finish' && finishReason === 'error')) return ['failed', { code: 'failed', message: errorText ?? 'the model has failed' }]
  if (type === 'finish') return ['succeeded', message.data]
  return type === 'abort' ? ['cancelled', reason === undefined ? {} : { reason }] : undefined
}

function eventOf(message: Message): Meaning | undefined {
  const { type, data } = chunkOf(message)
  if (message.text === '[DONE]') return undefined
  if (type === 'start') return ['started', message.data]
  if (type === 'text-delta') return ['output', message.data]
  return type === 'data-progress' ? ['progress', data] : meaningOf(message)
}

/** Follows chats of the AI SDK by `GET {url}/{id}/stream`, which gives the whole stream each time. Promises `replay`, for as long as the producer lives. */
export const aiSdk = ({ request = (chat, { base }) => addressOf(chat, base, 'stream'), read = eventOf, ...options }: AiSdkOptions = {}): Backend =>
  streamBackend({ ...options, request, read, end: endOf, promises: 'replay' }, [sse()])

/** Follows runs of the Workflow SDK by `GET {url}/{id}/stream?startIndex=n`: the same chunks, by their index. Promises `log`. */
export const workflow = ({ request = (run, { base }) => addressOf(run, base, 'stream'), read = eventOf, ...options }: AiSdkOptions = {}): Backend =>
  streamBackend({ ...options, request, read, end: endOf, cursor: { parameter: 'startIndex' } }, [
    sse(({ cursor = '0', take }) => {
      let next = Number(cursor)
      return (message) => {
        if (message.text !== '[DONE]') take({ ...message, id: `${++next}` })
      }
    })
  ])
