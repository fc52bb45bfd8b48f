/** Makes calls of the service with the client's credentials. */

import { type CallOptions, type Client, createClient } from '@connectrpc/connect'
import { orAborted } from '../async/signals.ts'
import type { RequestContext } from '../types.ts'
import { problemOf, refusalOf } from './call-errors.ts'
import { checkedFetch } from './checked-fetch.ts'
import { JobService } from './jobtail/v1/jobs_pb.ts'
import type { ConnectOptions } from './options.ts'

type Service = Client<typeof JobService>

/** A way to call the service, for each request of a client. */
export interface Calls {
  service(request: RequestContext): Service
  /** Calls a method that has one answer. Throws a `JobtailError` for the server's refusal, and a `TransportError` where the path has failed. */
  unary<T>(request: RequestContext, subject: string, call: (service: Service, options: CallOptions) => Promise<T>): Promise<T>
}

/** The headers of a call. */
export function headersOf({ headers: given, token }: Pick<RequestContext, 'headers' | 'token'>): Headers {
  const headers = new Headers(given)
  if (token) headers.set('authorization', `Bearer ${token}`)
  return headers
}

export function createCalls({ transport, baseUrl }: ConnectOptions): Calls {
  /** The service as it was made last: a transport may hold a connection, which the next call should use too. */
  let last: (Pick<RequestContext, 'fetch' | 'credentials'> & { base: string; service: Service }) | undefined

  function service(request: RequestContext): Service {
    const { fetch, credentials } = request
    const base = new URL(baseUrl ?? request.base.pathname, request.base).href
    if (last?.base !== base || last.fetch !== fetch || last.credentials !== credentials) {
      const made = transport instanceof Function ? transport({ baseUrl: base, useBinaryFormat: true, fetch: checkedFetch(request) }) : transport
      last = { base, fetch, credentials, service: createClient(JobService, made) }
    }
    return last.service
  }

  return {
    service,
    async unary(request, subject, call) {
      const { signal } = request
      try {
        return await orAborted(call(service(request), { signal, headers: headersOf(request) }), signal)
      } catch (error) {
        throw refusalOf(subject, problemOf(error, request))
      }
    }
  }
}
