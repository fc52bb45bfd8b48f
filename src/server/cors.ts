import { isOriginOf, ownHost } from './hosts.ts'
import { forbidden } from './http-error.ts'
import type { Settings } from './server-options.ts'

const EXPOSED = 'ETag, Retry-After, Location'
const REQUEST_HEADERS = ['authorization', 'last-event-id', 'if-none-match', 'prefer', 'content-type', 'idempotency-key']
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** How many header names of one preflight are read. */
const MAX_ASKED = 100

type Origins = Pick<Settings, 'origins' | 'allowCredentials' | 'onError' | 'hosts' | 'trustForwardedHost'>

/** Whether `origins` lists the origin. A function that throws, or doesn't return a boolean (an async one returns a promise), allows nobody. */
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
 * Throws an `HttpError` 403 for a POST or handshake that a page of a foreign origin has sent: CORS stops neither, and browsers send cookies with both
 * (PROTOCOL.md §8.4). `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/) counts where the browser sends it: no page can set it, and unlike `Host` it
 * doesn't depend on what a proxy passes on. Otherwise the hosts are compared, without the scheme: behind a proxy that terminates TLS the server doesn't know
 * its own.
 */
export function checkOrigin(request: Request, settings: Origins): void {
  const origin = request.headers.get('origin')
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  const own = ownHost(request, settings)
  if (site === null && (origin === null || isOriginOf(origin, own))) return
  if (origin !== null && isAllowed(origin, settings)) return
  throw forbidden(
    `the origin ${origin ?? 'of the page'} is not allowed: the server's own host is ${JSON.stringify(own.text.slice(0, 255))} (${own.header})` +
      `${site === null ? '' : `, the browser says ${JSON.stringify(site.slice(0, 20))} (Sec-Fetch-Site)`}, and \`origins\` doesn't list it. ` +
      'Let a proxy in front pass `Host` on, or set `trustForwardedHost`, or add the origin to `origins`'
  )
}

/** The headers that let a page of an allowed origin read the response (PROTOCOL.md §8.5). */
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

/**
 * The headers of a preflight's reply. They allow whatever headers the page asks for, since tracing tools add some to every request. Only pages that also get
 * `Access-Control-Allow-Origin` may use them.
 */
export function preflightHeaders({ headers }: Request): Record<string, string> {
  const asked = (headers.get('access-control-request-headers') ?? '').split(',', MAX_ASKED).map((name) => name.trim().toLowerCase())
  return {
    'Access-Control-Allow-Methods': 'GET, POST',
    'Access-Control-Allow-Headers': [...new Set([...REQUEST_HEADERS, ...asked.filter((name) => TOKEN.test(name))])].join(', '),
    'Access-Control-Max-Age': '7200'
  }
}
