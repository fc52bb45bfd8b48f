/** What a server was sent is nobody else's business, and a server may give it back: errors end up in logs. */

import type { Redact } from '../protocol/parse.ts'
import type { RequestContext } from '../types.ts'

/** The names of headers whose values are credentials. */
const CREDENTIAL = /auth|cookie|key|secret|session|token/
/** What has so many characters in common with a credential is a part of it: what is echoed is often cut short. */
const PART_CHARS = 16

/** Leaves out the request's own credentials, and parts of them. */
export const redactorOf =
  ({ token = '', headers }: Pick<RequestContext, 'token' | 'headers'>): Redact =>
  (text) => {
    const given = [...headers].map(([name, value]) => (CREDENTIAL.test(name) ? value : ''))
    const secrets = [token, base64url(token), ...given].filter(({ length }) => length >= PART_CHARS)
    if (secrets.length === 0) return text
    const isPart = (from: number, to: number): boolean => secrets.some((secret) => secret.includes(text.slice(from, to)))
    let shown = ''
    for (let at = 0; at < text.length; ) {
      let end = at + PART_CHARS
      if (end > text.length || !isPart(at, end)) shown += text[at++]
      else {
        while (end < text.length && isPart(at, end + 1)) end++
        shown += '…'
        at = end
      }
    }
    return shown
  }

/** Of the bytes that a header would have. */
export const base64url = (text: string): string => btoa(text).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
