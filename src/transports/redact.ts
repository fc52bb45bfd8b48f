/** What a server was sent is nobody else's business, and a server may give it back: errors end up in logs. */

import type { Redact } from '../protocol/parse.ts'
import type { RequestContext } from '../types.ts'

/** The names of headers whose values are credentials. */
const CREDENTIAL = /auth|cookie|key|secret|session|token/
/** What has so many characters in common with a credential is a part of it: what is echoed is often cut short. */
const PART_CHARS = 16

/** Leaves out the request's own credentials, and parts of them with what follows. */
export const redactorOf =
  ({ token = '', headers }: Pick<RequestContext, 'token' | 'headers'>): Redact =>
  (text) => {
    const secrets = [token, base64url(token)]
    for (const [name, value] of headers) if (CREDENTIAL.test(name)) secrets.push(value)
    let shown = text
    for (const secret of secrets) for (let end = PART_CHARS; end <= secret.length; end++) shown = shown.replaceAll(secret.slice(end - PART_CHARS, end), '…')
    return shown === text ? text : shown.replace(/…[^\s"]*/g, '…')
  }

/** Of the bytes that a header would have. */
export const base64url = (text: string): string => btoa(text).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
