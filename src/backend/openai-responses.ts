/** Background responses of OpenAI's API, and of servers with the same API, through a proxy of the application, since it needs a key. */

import type { Backend } from '../types.ts'
import type { DocumentEvents } from './document.ts'
import { addressOf, pathOf, requestOf } from './foreign.ts'
import { defaultMeaning, type JobEventTuple, type Message } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

/** Options of `openaiResponses`: those of `plainSse`, except what the API defines. */
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

const failed = (code: string | null = 'failed', message = 'the response has failed'): JobEventTuple => ['failed', { code: code ?? 'failed', message }]

/** How a response has ended; `undefined` where it goes on. */
function endOf(response: OpenaiResponse): JobEventTuple | undefined {
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

function eventOf(message: Message): JobEventTuple | undefined {
  const { type } = message
  if (type === 'response.created' || type === 'response.queued') return ['queued', {}]
  if (type === 'response.in_progress') return ['started', {}]
  return type.endsWith('.delta') ? ['output', message.data] : defaultMeaning(message)
}

/** Messages by their `sequence_number`, which is the cursor. */
const numbered = sse(({ cursor, take, lose }) => {
  let before = cursor
  return (message) => {
    // The type is in the data too: a proxy may leave out the name.
    const { sequence_number: number, type = message.type } = Object(message.data)
    if (before !== undefined && number !== undefined && number !== Number(before) + 1) lose()
    before = undefined
    take({ ...message, type, ...(number !== undefined && { id: `${number}` }) })
  }
})

/**
 * Follows background responses of OpenAI's API by `GET {url}/{id}?stream=true`, through a proxy of your own, since the API needs a key. The
 * job id is the response's id. A response that can no longer be streamed is polled. Promises `log`.
 */
export function openaiResponses({ request = (id, { base }) => addressOf(id, base), read = eventOf, ...options }: OpenaiResponsesOptions = {}): Backend {
  return streamBackend(
    {
      cancel: (id, { base }) => ({ url: pathOf(addressOf(id, base), ['cancel']), method: 'POST' }),
      ...options,
      cursor: { parameter: 'starting_after' },
      takesTail: false,
      async request(id, asked) {
        const given = requestOf(await request(id, asked), asked.base)
        given.url.searchParams.set('stream', 'true')
        return given
      },
      read,
      end: ({ type, data }) => (/^response\.(completed|failed|incomplete)$/.test(type) ? endOf(Object(data).response ?? {}) : undefined),
      // 400: the response was started more than five minutes ago, or it was not created with `stream: true`.
      refusals: [400],
      status: {
        request,
        read(document): DocumentEvents {
          const end = endOf(Object(document))
          return end ? [end] : []
        }
      }
    },
    [numbered]
  )
}
