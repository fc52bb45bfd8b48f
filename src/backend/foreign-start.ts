/** Start and cancel of other people's servers, where the application says how. */

import { TransportError } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, RequestContext } from '../types.ts'
import { ask, type ForeignRequest, type RequestHook, refusal, wordedOf } from './foreign.ts'

export interface StartOptions {
  /** How the job is cancelled. Without it, `cancel` rejects with `unsupported`. */
  cancel?: RequestHook | undefined
  /** How a job is started. Without it, `start` rejects with `unsupported`. */
  start?: ((input: unknown, idempotencyKey: string, base: URL) => ForeignRequest | string | URL) | undefined
  /**
   * The id of the job that an answer has started.
   * @defaultValue its `Operation-Location`, `Azure-AsyncOperation` or `Location`, else its field `id`
   */
  idOf?: ((document: unknown, response: Response) => string | undefined) | undefined
}

export function operationsOf({ start, cancel, idOf = locationOf }: StartOptions): Pick<Backend, 'start' | 'cancel'> {
  return {
    ...(start && {
      async start(request, input, key) {
        const { response, chunks } = await answerOf(request, await start(input, key, request.base), 'start a job')
        let text = ''
        for await (const chunk of chunks) text += chunk
        const id = idOf(parsed(text), response)
        if (!id) throw new TransportError('protocol', 'the answer to a start names no job: neither Operation-Location nor Location, nor a field id')
        return { id }
      }
    }),
    ...(cancel && {
      async cancel(request, job) {
        const { response } = await answerOf(request, await cancel(job, { base: request.base }), `cancel job ${job}`, job)
        response.body?.cancel().catch(() => {}) // any 2xx is an answer, whatever it says
      }
    })
  }
}

async function answerOf(request: RequestContext, worded: ForeignRequest | string | URL, what: string, job = what): Promise<Answer> {
  const answer = await ask(request, { method: 'POST', ...wordedOf(worded, request.base) }, job)
  if (isControl(answer)) throw refusal(what, answer)
  return answer
}

const locationOf = (document: unknown, { headers }: Response): string | undefined =>
  headers.get('operation-location') ?? headers.get('azure-asyncoperation') ?? headers.get('location') ?? Object(document).id

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the header may say it all
  }
}
