/** Tells answers of a Connect service from those of whatever stands in between. */

import { TransportError } from '../errors.ts'
import { place } from '../protocol/urls.ts'
import { retryAfterOf } from '../transports/retry-after.ts'
import type { RequestContext } from '../types.ts'

/** The content types of both protocols, of both formats, and of streams. */
const SERVICE_TYPE = /^application\/(grpc-web|connect|proto|json)/

/**
 * The client's `fetch` for a transport of Connect. What it throws, the transport passes on as the `cause` of its own error: Connect itself doesn't tell the
 * network's failures from the server's errors, and knows no status but its own.
 */
export function checkedFetch({ fetch, credentials }: Pick<RequestContext, 'fetch' | 'credentials'>): typeof globalThis.fetch {
  return async (input, init) => {
    const at = place(input instanceof Request ? input.url : `${input}`)
    // `manual`: a redirect to another origin, such as a login page, could otherwise not be told from a dead network.
    const response = await fetch(input, { ...init, credentials, cache: 'no-store', redirect: 'manual' }).catch((cause) => {
      init?.signal?.throwIfAborted()
      throw new TransportError('network', `${at} gave no answer (network, CORS or mixed content)`, { cause })
    })
    const { status, type, headers, body } = response
    const isRedirect = type === 'opaqueredirect' || (status >= 300 && status < 400)
    const contentType = headers.get('content-type') ?? 'no content type'
    // The error of a unary call is JSON with a status of HTTP. Any other error of the service is an answer with 200.
    if (!isRedirect && SERVICE_TYPE.test(contentType) && (response.ok || contentType.startsWith('application/json'))) return response
    body?.cancel().catch(() => {}) // an unread body would keep its connection busy
    if (isRedirect) throw new TransportError('redirected', `${at} was redirected`)
    const reason = response.ok ? 'content-type' : 'status'
    throw new TransportError(reason, `${at}: ${status}, ${contentType}, not an answer of Connect`, { status, retryAfterMs: retryAfterOf(headers) })
  }
}
