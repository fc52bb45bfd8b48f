/** Removes the request's credentials from texts that a server sent: a server may echo them, and errors end up in logs. */

import type { Redact } from '../protocol/parse.ts'
import type { RequestContext } from '../types.ts'

/** Headers with such names hold credentials. */
const CREDENTIAL = /auth|cookie|key|secret|session|token/
/** A text that has this many characters in common with a credential is a part of it: servers often cut off what they echo. Of a shorter one it is all. */
const PART_CHARS = 16
/** A shorter value is no credential: it would be found in any text. */
const MIN_CHARS = 6

/** Makes a function that replaces the request's credentials by `…`, also parts of them with what follows. */
export const redactorOf =
  ({ token = '', headers }: Pick<RequestContext, 'token' | 'headers'>): Redact =>
  (text) => {
    const secrets = [token, base64url(token)]
    for (const [name, value] of headers) if (CREDENTIAL.test(name)) secrets.push(value)
    let shown = text
    for (const secret of secrets) {
      const chars = Math.min(PART_CHARS, Math.max(MIN_CHARS, secret.length))
      for (let end = chars; end <= secret.length; end++) shown = shown.replaceAll(secret.slice(end - chars, end), '…')
    }
    return shown === text ? text : shown.replace(/…[^\s"]*/g, '…')
  }

/** The text as base64url, of the bytes that a header would have. */
export const base64url = (text: string): string => btoa(text).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
