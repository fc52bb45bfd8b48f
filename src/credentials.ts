/** Where a request's token and headers come from. */

import { JobtailError } from './errors.ts'
import { BEARER_TOKEN, matches } from './protocol/rules.ts'
import type { ClientOptions } from './types.ts'

/** What every request of one connect carries. */
export interface Credentials {
  headers: Headers
  token?: string | undefined
}

const ask = <T>(source: T | (() => T | Promise<T>)): T | Promise<T> => (source instanceof Function ? source() : source)

/** Asks the token source and the header source, once each. */
export async function askCredentials(options: Pick<ClientOptions, 'token' | 'headers'>): Promise<Credentials> {
  const [token, given] = await Promise.all([ask(options.token), ask(options.headers)])
  // Never the value: it would end up in a log.
  if (token !== undefined && !matches(token, BEARER_TOKEN))
    throw new JobtailError('bad-request', `token: expected visible characters up to U+00FF, at least one, got a ${typeof token} with others`)
  return { headers: headersOf(given), token }
}

function headersOf(given: HeadersInit | undefined): Headers {
  try {
    return new Headers(given)
  } catch {
    // Without its cause, which quotes the value.
    throw new JobtailError('bad-request', 'headers: expected names and values that HTTP can carry')
  }
}
