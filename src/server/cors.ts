import { isOriginOf, ownHost } from './hosts.ts'
import { forbidden } from './http-error.ts'
import type { Settings } from './types.ts'

const EXPOSED = 'ETag, Retry-After, Location'
const REQUEST_HEADERS = ['authorization', 'last-event-id', 'if-none-match', 'prefer', 'content-type', 'idempotency-key']
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** Names that a preflight may ask for. */
const MAX_ASKED = 100

type Origins = Pick<Settings, 'origins' | 'allowCredentials' | 'onError' | 'hosts' | 'trustForwardedHost'>

/** A function that throws, or says neither yes nor no, as an async one does, lets nobody in. */
function isAllowed(origin: string, { origins, onError }: Origins): boolean {
  if (origins === '*') return true
  if (typeof origins !== 'function') return origins.includes(origin)
  try {
    const answer: unknown = origins(origin)
    if (typeof answer === 'boolean') return answer
    throw new TypeError(`origins: expected true or false for ${origin}, got ${answer instanceof Promise ? 'a promise' : typeof answer}`)
  } catch (error) {
    onError(error)
    return false
  }
}

/**
 * Refuses what a page of a strange origin may not do: browsers send it cookies and all, and CORS doesn't stop them (PROTOCOL.md §8.4). The scheme
 * is left out: behind a proxy that ends TLS, the server doesn't know its own. Where the browser itself says whose page it is (`Sec-Fetch-Site`,
 * https://www.w3.org/TR/fetch-metadata/), that counts: no page can set it, and it doesn't depend on the `Host` that a proxy passes on.
 */
export function checkOrigin(request: Request, settings: Origins): void {
  const origin = request.headers.get('origin')
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  const own = ownHost(request, settings)
  if (site === null && (origin === null || isOriginOf(origin, own))) return
  if (origin !== null && isAllowed(origin, settings)) return
  throw forbidden(
    `the origin ${origin ?? 'of the page'} is not allowed: the server was asked as ${JSON.stringify(own.text.slice(0, 255))} (${own.header})` +
      `${site === null ? '' : `, the browser says ${JSON.stringify(site.slice(0, 20))} (Sec-Fetch-Site)`}, and \`origins\` doesn't have it. ` +
      'A proxy that rewrites Host needs to pass it on, or `trustForwardedHost`'
  )
}

/** What lets an allowed page of another origin read the answer (PROTOCOL.md §8.5). */
export function corsHeaders(request: Request, settings: Origins): Record<string, string> {
  const origin = request.headers.get('origin')
  const forAll = { 'Cross-Origin-Resource-Policy': 'cross-origin' }
  if (origin === null || !isAllowed(origin, settings)) return settings.origins === '*' ? forAll : {}
  return {
    ...forAll,
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': EXPOSED,
    ...(settings.allowCredentials ? { 'Access-Control-Allow-Credentials': 'true' } : {})
  }
}

/** What a page may send; whatever else it asks for, since tracing adds headers of its own to each request. Without `Access-Control-Allow-Origin`, nobody. */
export function preflightHeaders({ headers }: Request): Record<string, string> {
  const asked = (headers.get('access-control-request-headers') ?? '').split(',', MAX_ASKED).map((name) => name.trim().toLowerCase())
  return {
    'Access-Control-Allow-Methods': 'GET, POST',
    'Access-Control-Allow-Headers': [...new Set([...REQUEST_HEADERS, ...asked.filter((name) => TOKEN.test(name))])].join(', '),
    'Access-Control-Max-Age': '7200'
  }
}
