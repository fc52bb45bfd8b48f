import { forbidden } from './problem.ts'
import type { Settings } from './types.ts'

const EXPOSED = 'ETag, Retry-After, Location'
const REQUEST_HEADERS = 'authorization, last-event-id, if-none-match, prefer, content-type, idempotency-key'

type Origins = Pick<Settings, 'origins' | 'allowCredentials' | 'onError'>

/** The scheme is left out: behind a proxy that ends TLS, the server doesn't know its own. */
function isOwn(origin: string, url: URL): boolean {
  return URL.canParse(origin) && new URL(origin).host === url.host
}

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

/** Refuses what a page of a strange origin may not do: browsers send it cookies and all, and CORS doesn't stop them (PROTOCOL.md §8.4). */
export function checkOrigin(request: Request, settings: Origins): void {
  const origin = request.headers.get('origin')
  if (origin !== null && !isOwn(origin, new URL(request.url)) && !isAllowed(origin, settings)) throw forbidden(`the origin ${origin} is not allowed`)
}

/** What lets an allowed page of another origin read the answer (PROTOCOL.md §8.5). */
export function corsHeaders(request: Request, settings: Origins): Record<string, string> {
  const origin = request.headers.get('origin')
  if (origin === null || !isAllowed(origin, settings)) return {}
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': EXPOSED,
    ...(settings.allowCredentials ? { 'Access-Control-Allow-Credentials': 'true' } : {})
  }
}

export const PREFLIGHT_HEADERS: Record<string, string> = {
  'Access-Control-Allow-Methods': 'GET, POST',
  'Access-Control-Allow-Headers': REQUEST_HEADERS,
  'Access-Control-Max-Age': '7200'
}
