import { MAX_TIMER_MS } from '../async/bounds.ts'

/**
 * The header `Retry-After` in ms, from seconds or a date (RFC 9110 §10.2.3), which is compared with the answer's own date where that can be
 * read: this machine's clock may be wrong. `undefined` where it is absent, malformed or in the past.
 */
export function retryAfterOf(headers: Headers): number | undefined {
  const text = headers.get('retry-after') ?? ''
  const seconds = Number.parseFloat(text) // a header that was sent twice is `60, 60`
  const ms = Math.ceil(Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - (Date.parse(headers.get('date') ?? '') || Date.now()))
  return ms > 0 ? Math.min(ms, MAX_TIMER_MS) : undefined
}
