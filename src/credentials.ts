/** Where a request's token and headers come from. */

import { JobtailError } from './errors.ts'
import type { ClientOptions } from './types.ts'

/** What every request of one connect carries. */
export interface Credentials {
  headers: Headers
  token?: string
}

/** RFC 6750 §2.1. */
const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** Asks the token source and the header source, once each. */
export async function askCredentials({ token, headers }: Pick<ClientOptions, 'token' | 'headers'>): Promise<Credentials> {
  const [given, own] = await Promise.all([typeof token === 'function' ? token() : token, typeof headers === 'function' ? headers() : headers])
  if (given === undefined || given === null) return { headers: new Headers(own) }
  // Never the value: it would end up in a log.
  if (typeof given !== 'string' || !BEARER_TOKEN.test(given))
    throw new JobtailError('bad-request', `token: expected the characters of a bearer token (RFC 6750), got a ${typeof given} with others`)
  return { headers: new Headers(own), token: given }
}
