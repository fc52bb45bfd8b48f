/** Gets a request's token and headers from the client's options. */

import { isJobtailError, JobtailError, TransportError } from './errors.ts'
import { BEARER_TOKEN, matches } from './protocol/rules.ts'
import type { ClientOptions } from './types.ts'

/** The credentials of one connect. */
export interface Credentials {
  headers: Headers
  token?: string | undefined
}

/** Gets a value, or calls its source. An error of the source is replaced by one without its text, which may contain a token. */
async function resolve<T>(source: T | (() => T | Promise<T>)): Promise<T> {
  try {
    // Not `instanceof Function`: an iframe's functions are of another class.
    return await (typeof source === 'function' ? (source as () => T | Promise<T>)() : source) // as: no value is a function
  } catch (thrown) {
    if (isJobtailError(thrown)) throw thrown
    throw new TransportError('network', `the token or header source threw ${thrown instanceof Error ? thrown.name : typeof thrown}`)
  }
}

/**
 * Calls the token source and the header source, once each.
 * @throws JobtailError `bad-request` for a token or headers that HTTP cannot carry, or whatever `JobtailError` a source throws
 * @throws TransportError `network` where a source throws anything else
 */
export async function getCredentials(options: Pick<ClientOptions, 'token' | 'headers'>): Promise<Credentials> {
  const [token, given] = await Promise.all([resolve(options.token), resolve(options.headers)])
  // The message must not contain the value: it would end up in a log.
  if (token != null && !matches(token, BEARER_TOKEN))
    throw new JobtailError('bad-request', `token: expected one or more visible characters up to U+00FF, got another ${typeof token}`)
  return { headers: headersOf(given), token: token ?? undefined }
}

/**
 * The headers, however they are given.
 * @throws JobtailError `bad-request` where HTTP cannot carry them
 */
export function headersOf(given: HeadersInit | undefined): Headers {
  try {
    return new Headers(given)
  } catch {
    // The error gets no `cause`: it quotes the value.
    throw new JobtailError('bad-request', 'headers: expected names and values that HTTP can carry')
  }
}
