/** Responses of OpenAI's API in background mode, and of those who offer the same: behind a proxy of the application's, since the key must not be in a page. */

import type { Backend } from '../types.ts'
import type { Said } from './document.ts'
import { addressOf, wordedOf } from './foreign.ts'
import { type Meaning, type Message, meaningOf } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

export type OpenaiResponsesOptions = Omit<StreamOptions, 'promises' | 'cursor' | 'end' | 'status'>

interface Failure {
  code?: string | null
  message?: string
}

interface OpenaiResponse {
  status?: string
  error?: Failure | null
  incomplete_details?: { reason?: string } | null
}

const failed = (code: string | null = 'failed', message = 'the response has failed'): Meaning => ['failed', { code: code ?? 'failed', message }]

/** How a response has ended, by its `status`. */
function endOf(response: OpenaiResponse): Meaning | undefined {
  switch (response.status) {
    case 'completed':
      return ['succeeded', response]
    case 'failed':
      return failed(response.error?.code, response.error?.message)
    case 'incomplete':
      return failed(response.incomplete_details?.reason, 'the response is incomplete')
    case 'cancelled':
      return ['cancelled', {}]
    default:
      return undefined
  }
}

function eventOf(message: Message): Meaning | undefined {
  const { type } = message
  if (type === 'response.created' || type === 'response.queued') return ['queued', {}]
  if (type === 'response.in_progress') return ['started', {}]
  return type.endsWith('.delta') ? ['output', message.data] : meaningOf(message)
}

/** The number of a message, by which the server goes on. */
const numbered = sse(({ cursor, take, lose }) => {
  let before = cursor
  return (message) => {
    const { sequence_number: number } = Object(message.data)
    if (before !== undefined && number !== undefined && number !== Number(before) + 1) lose()
    before = undefined
    take(number === undefined ? message : { ...message, id: `${number}` })
  }
})

/** Follows responses by `GET {url}/{id}?stream=true`, and by the response itself once it can't be streamed any more. Promises `log`. */
export function openaiResponses({ request = (id, { base }) => addressOf(id, base), read = eventOf, ...options }: OpenaiResponsesOptions = {}): Backend {
  return streamBackend(
    {
      cancel: (id, { base }) => ({ url: addressOf(id, base, 'cancel'), method: 'POST' }),
      ...options,
      cursor: { parameter: 'starting_after' },
      async request(id, asked) {
        const worded = wordedOf(await request(id, asked), asked.base)
        worded.url.searchParams.set('stream', 'true')
        return worded
      },
      read,
      end: ({ type, data }) => (/^response\.(completed|failed|incomplete)$/.test(type) ? endOf(Object(data).response ?? {}) : undefined),
      // Five minutes after its start a response can't be streamed any more; one that was not created with `stream: true` never could.
      refusals: [400],
      status: {
        request,
        read(document): Said {
          const end = endOf(Object(document))
          return end ? [end] : []
        }
      }
    },
    [numbered]
  )
}
