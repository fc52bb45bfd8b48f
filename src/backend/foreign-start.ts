/** Start and cancel on a server that does not speak Jobtail's protocol, as the application describes them. */

import { JobtailError, TransportError } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, RequestContext } from '../types.ts'
import { type ForeignRequest, isAddress, type RequestHook, refusalError, requestOf, sendRequest, textOf } from './foreign.ts'

/** How jobs are started and cancelled. */
export interface OperationOptions {
  /** The request that cancels a job, a POST unless it says otherwise. Without it, `cancel` rejects with `unsupported`. */
  cancel?: RequestHook | undefined
  /** The request that starts a job, a POST unless it says otherwise. `base` is the client's `url`. Without it, `start` rejects with `unsupported`. */
  start?: ((input: unknown, idempotencyKey: string, base: URL) => ForeignRequest | string | URL) | undefined
  /**
   * Finds the started job's id in the answer.
   * @defaultValue its header `Operation-Location`, `Azure-AsyncOperation` or `Location`, otherwise its field `id`, otherwise the URL that the
   * request was redirected to
   */
  idOf?: ((document: unknown, response: Response) => string | number | undefined) | undefined
}

/** The backend's methods for these options. */
export function operationsOf({ start, cancel, idOf = locationOf }: OperationOptions): Pick<Backend, 'start' | 'cancel'> {
  return {
    ...(start && {
      async start(request, input, key) {
        const answer = await answerOf(request, await start(input, key, request.base), 'start a job')
        const id = idOf(parsed(await textOf(answer)), answer.response)
        if (!id && id !== 0) throw new TransportError('protocol', 'the answer to a start names no job: neither Operation-Location nor Location, nor a field id')
        return { id: `${id}` }
      }
    }),
    ...(cancel && {
      async cancel(request, job) {
        const answer = await answerOf(request, await cancel(job, { base: request.base }), `cancel job ${job}`, job)
        // Every 2xx means that the server has accepted, whatever its body; JSON-RPC alone refuses with a 200.
        const { jsonrpc, error } = Object(parsed(await textOf(answer).catch(() => '')))
        if (jsonrpc && error) throw new JobtailError('bad-request', `cancel job ${job}: the server said ${JSON.stringify(error)}`)
      }
    })
  }
}

async function answerOf(request: RequestContext, given: ForeignRequest | string | URL, what: string, job = what): Promise<Answer> {
  const answer = await sendRequest(request, { method: 'POST', ...requestOf(given, request.base) }, job)
  if (isControl(answer)) throw refusalError(what, answer)
  return answer
}

function locationOf(document: unknown, { headers, redirected, url }: Response): string | number | undefined {
  const at = headers.get('operation-location') ?? headers.get('azure-asyncoperation') ?? headers.get('location')
  // A reference that is relative to the request's URL would look like an id (RFC 9110 §10.2.2).
  if (at) return isAddress(at) || !URL.canParse(at, url) ? at : new URL(at, url).href
  // A login page is no JSON.
  return Object(document).id ?? (redirected && document !== undefined ? url : undefined)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the id may be in a header
  }
}
