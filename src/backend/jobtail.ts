/** Jobtail's own protocol: the requests beside readings (PROTOCOL.md §2). Each method makes one request. */

import { isJobtailError, isTransportError, saidBy, TransportError } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import { parseSnapshot, preview } from '../protocol/parse.ts'
import { expected, isJobId, matches } from '../protocol/rules.ts'
import { hasSlash, place, resourceUrl } from '../protocol/urls.ts'
import { invalid } from '../settings.ts'
import { type Answer, fetchReading, type ReadingOptions, textOf } from '../transports/http.ts'
import { JSON_TYPE } from '../transports/lists.ts'
import { readOnce } from '../transports/read-once.ts'
import type { Backend, RequestContext, Transport } from '../types.ts'
import { jsonOf } from './input.ts'

/** A backend for servers of Jobtail's protocol, with these transports in order of preference. */
export const jobtailBackend = (transports: readonly Transport[] = []): Backend => ({
  transports,
  readOnce: readOnce(),
  expected,
  async snapshot(request, job) {
    const what = `snapshot of job ${job}`
    const answer = await sendRequest(request, what, { url: resourceUrl(request.base, job), accept: JSON_TYPE }, job)
    const snapshot = parseSnapshot(await textOf(answer), answer.redact)
    if (snapshot.id !== job) throw new TransportError('stale', `${what}: got that of job ${snapshot.id}`)
    return snapshot
  },
  async start(request, input, idempotencyKey) {
    if (!matches(idempotencyKey, /^[ -~]+$/)) throw invalid('idempotencyKey', 'printable ASCII', idempotencyKey)
    // Not as `accept`: an answer with a `Location` may have any content type.
    const own = { accept: JSON_TYPE, 'idempotency-key': idempotencyKey }
    // Without input there is no body: body parsers in front of a server reject `null` (expressjs/body-parser#309).
    const given = input === undefined ? { headers: own } : { body: jsonOf(input), headers: { 'content-type': JSON_TYPE, ...own } }
    const answer = await sendRequest(request, 'start a job', { url: request.base, method: 'POST', ...given })
    return { id: startedIn(await textOf(answer), answer) }
  },
  async cancel(request, job) {
    const { response } = await sendRequest(request, `cancel job ${job}`, { url: resourceUrl(request.base, job, 'cancel'), method: 'POST' }, job)
    response.body?.cancel().catch(() => {}) // every 2xx means that the server has accepted
  }
})

/**
 * The id of the job that the answer to a start names: a member `id` of its body, otherwise the end of its `Location`.
 * @throws TransportError `protocol` where it names none
 */
function startedIn(text: string, { response: { headers, status, url }, redact }: Answer): string {
  const id = tried(() => JSON.parse(text).id) ?? tried(() => decodeURIComponent(/[^/?#]*(?=\/?([?#]|$))/.exec(headers.get('location') ?? '')?.[0] ?? ''))
  if (/string|number/.test(typeof id) && isJobId(`${id}`)) return `${id}`
  const got = `${place(url)}: ${status}, ${redact(headers.get('content-type') ?? 'no content type')}`
  throw new TransportError('protocol', `${got}: expected JSON with an id, or a Location that ends with it (it begins ${preview(text, redact)})`, { status })
}

/** What the function returns; `undefined` where it throws. */
function tried(read: () => unknown): unknown {
  try {
    return read()
  } catch {
    return undefined // what comes from a server may be malformed
  }
}

async function sendRequest(request: RequestContext, what: string, options: ReadingOptions, job = ''): Promise<Answer> {
  try {
    const answer = await fetchReading(request, { ...options, findsRedirects: true })
    if (!isControl(answer)) return answer
    throw saidBy(what, answer)
  } catch (error) {
    // Intermediaries may decode a slash in a path, which ends in a 404.
    if ((isTransportError(error) || isJobtailError(error)) && error.status === 404 && hasSlash(job))
      error.message += '; the slash in the id may have been decoded on the way'
    throw error
  }
}
