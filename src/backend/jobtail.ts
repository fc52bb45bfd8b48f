/** Jobtail's own protocol: the requests beside readings (PROTOCOL.md §2). Each method makes one request. */

import { isJobtailError, isTransportError, saidBy, TransportError } from '../errors.ts'
import { isControl, type JobSnapshot } from '../protocol/frames.ts'
import { parseSnapshot } from '../protocol/parse.ts'
import { expected, matches } from '../protocol/rules.ts'
import { hasSlash, resourceUrl } from '../protocol/urls.ts'
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
    const snapshot = await snapshotIn(await sendRequest(request, what, { url: resourceUrl(request.base, job), accept: JSON_TYPE }, job))
    if (snapshot.id !== job) throw new TransportError('stale', `${what}: got that of job ${snapshot.id}`)
    return snapshot
  },
  async start(request, input, idempotencyKey) {
    if (!matches(idempotencyKey, /^[ -~]+$/)) throw invalid('idempotencyKey', 'printable ASCII', idempotencyKey)
    const key = { 'idempotency-key': idempotencyKey }
    // Without input there is no body: body parsers in front of a server reject `null` (expressjs/body-parser#309).
    const given = input === undefined ? { headers: key } : { body: jsonOf(input), headers: { 'content-type': JSON_TYPE, ...key } }
    return snapshotIn(await sendRequest(request, 'start a job', { url: request.base, accept: JSON_TYPE, method: 'POST', ...given }))
  },
  async cancel(request, job) {
    const { response } = await sendRequest(request, `cancel job ${job}`, { url: resourceUrl(request.base, job, 'cancel'), method: 'POST' }, job)
    response.body?.cancel().catch(() => {}) // every 2xx means that the server has accepted
  }
})

const snapshotIn = async (answer: Answer): Promise<JobSnapshot> => parseSnapshot(await textOf(answer), answer.redact)

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
