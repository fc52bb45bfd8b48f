/** Jobtail's own protocol: what its servers are asked beside a reading (PROTOCOL.md §2). Each method makes one request. */

import { isJobtailError, isTransportError, JobtailError, messageOf, saidBy } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import { parseSnapshot } from '../protocol/parse.ts'
import { isCursor, isJobId } from '../protocol/rules.ts'
import { hasSlash, resourceUrl } from '../protocol/urls.ts'
import { type Answer, fetchReading, type ReadingOptions, textOf } from '../transports/http.ts'
import { JSON_TYPE } from '../transports/lists.ts'
import { readOnce } from '../transports/read-once.ts'
import type { Backend, RequestContext, Transport } from '../types.ts'

/** A server of Jobtail's own protocol, read by these transports, best first. */
export const jobtailBackend = (transports: readonly Transport[] = []): Backend => ({
  transports,
  readOnce: readOnce(),
  expected(what, value) {
    if (what === 'after') return isCursor(value) ? undefined : 'an event\'s id or "tail"'
    return isJobId(value) ? undefined : '1 to 256 bytes of UTF-8 other than ".", "..", "events"'
  },
  async snapshot(request, job) {
    const answer = await ask(request, `snapshot of job ${job}`, { url: resourceUrl(request.base, job), accept: JSON_TYPE }, job)
    return parseSnapshot(await textOf(answer), answer.redact)
  },
  async start(request, input, idempotencyKey) {
    const key = { 'idempotency-key': idempotencyKey }
    // No input is no body: of `null` body parsers in front of a server say that it is no object (expressjs/body-parser#309).
    const given = input === undefined ? { headers: key } : { body: jsonOf(input), headers: { 'content-type': JSON_TYPE, ...key } }
    const answer = await ask(request, 'start a job', { url: request.base, accept: JSON_TYPE, method: 'POST', ...given })
    return parseSnapshot(await textOf(answer), answer.redact)
  },
  async cancel(request, job) {
    const { response } = await ask(request, `cancel job ${job}`, { url: resourceUrl(request.base, job, 'cancel'), method: 'POST' }, job)
    response.body?.cancel().catch(() => {}) // any 2xx is an answer, whatever it says
  }
})

async function ask(request: RequestContext, what: string, options: ReadingOptions, job = ''): Promise<Answer> {
  try {
    const answer = await fetchReading(request, { ...options, findsRedirects: true })
    if (!isControl(answer)) return answer
    throw saidBy(what, answer)
  } catch (error) {
    // In a path, that is what servers in between stumble over.
    if ((isTransportError(error) || isJobtailError(error)) && error.status === 404 && hasSlash(job))
      error.message += '; the slash in the id may have been decoded on the way'
    throw error
  }
}

function jsonOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? 'null'
  } catch (cause) {
    throw new JobtailError('bad-request', `input of start: expected a JSON value (${messageOf(cause)})`, { cause })
  }
}
