import { authorizeRequest } from './authorize.ts'
import type { Bodies } from './bodies.ts'
import { cancelJob, cancellation } from './cancel.ts'
import type { Connections } from './connections.ts'
import { checkOrigin, corsHeaders, preflightHeaders } from './cors.ts'
import { checkHost } from './hosts.ts'
import { badRequest, closing, HttpError, methodNotAllowed, notFound, problemBody, refusalOfLog, SAFE, unknownJob } from './http-error.ts'
import { isLogError } from './log/types.ts'
import type { MetricsStore } from './metrics.ts'
import { readEvents } from './readings/events.ts'
import { isStreamBody, type Reply, type RequestContext } from './request-context.ts'
import { findRoute, pathBelow, pathOf } from './routes.ts'
import type { Runner } from './run.ts'
import { startJob } from './start.ts'
import type { Settings } from './types.ts'

const EVERY_ANSWER = { ...SAFE, 'Cache-Control': 'private, no-store', Vary: 'Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer' }

/** What a request needs of the server. */
export interface Parts {
  settings: Settings
  connections: Connections
  bodies: Bodies
  runner: Runner
  metrics: MetricsStore
}

/** Answers any request below `basePath`; never rejects. */
export async function answer(call: RequestContext, parts: Parts): Promise<Reply> {
  const { settings, metrics } = parts
  let found: Reply
  try {
    found = await dispatch(call, parts)
  } catch (error) {
    const refusal = refusalFrom(error, settings)
    metrics.rejected(refusal.status)
    found = { status: refusal.status, ...problemBody(refusal) }
  }
  if (call.request.method === 'HEAD') found = bodiless(found)
  return { ...found, headers: { ...EVERY_ANSWER, ...corsHeaders(call.request, settings), ...found.headers } }
}

/** What a GET would be answered, but for the body (RFC 9110 §9.3.2). */
function bodiless({ status, headers, body, delivery }: Reply): Reply {
  if (isStreamBody(body)) body.close()
  const length = body === undefined || isStreamBody(body) ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  return { status, headers: { ...headers, ...length }, ...(delivery ? { delivery } : {}) }
}

function refusalFrom(error: unknown, { onError }: Settings): HttpError {
  if (error instanceof HttpError) return error
  if (!isLogError(error, 'history-gone') && !isLogError(error, 'closed')) onError(error)
  return refusalOfLog(error)
}

function dispatch(call: RequestContext, parts: Parts): Promise<Reply> | Reply {
  const { request } = call
  checkHost(request, parts.settings)
  const path = pathBelow(parts.settings.basePath, pathOf(call.target))
  if (path === undefined) throw notFound()
  const route = findRoute(path)
  const methods = route.to === 'start' || route.to === 'cancel' ? ['POST'] : ['GET', 'HEAD']
  if (request.method === 'OPTIONS') return { status: 204, headers: { Allow: [...methods, 'OPTIONS'].join(', '), ...preflightHeaders(request) } }
  if (!methods.includes(request.method)) throw methodNotAllowed(methods.join(', '))
  if (parts.connections.closing) throw closing()
  switch (route.to) {
    case 'events':
      return readEvents(call, route, parts.settings, parts.connections)
    case 'snapshot':
      return snapshot(call, route.job, parts)
    case 'start':
      return start(call, parts)
    case 'cancel':
      return cancel(call, route.job, parts)
  }
}

const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(value)
})

async function snapshot(call: RequestContext, job: string, { settings }: Parts): Promise<Reply> {
  await authorizeRequest(settings, call, 'read', job)
  const found = await settings.log.snapshot(job)
  if (!found) throw unknownJob()
  return json(200, found)
}

async function start(call: RequestContext, { settings, runner, bodies }: Parts): Promise<Reply> {
  const { request } = call
  checkOrigin(request, settings)
  const { subject } = await authorizeRequest(settings, call, 'start')
  const idempotencyKey = request.headers.get('idempotency-key')
  if (idempotencyKey !== null && settings.authorize && subject === undefined && !RANDOM_UUID.test(idempotencyKey)) throw keyOfNobody()
  const body = await bodies.read(call.body())
  const { id, isRepeat } = await startJob({ body, idempotencyKey, subject }, settings, runner)
  // What the first one is told of a job says nothing of what this one may see.
  if (isRepeat) await authorizeRequest(settings, call, 'read', id)
  return json(202, await settings.log.snapshot(id), { Location: `${settings.basePath}/${encodeURIComponent(id)}` })
}

/** Of version 4 or 7 (RFC 9562): whoever knows one has made it, or was told it, as with a job's id. Those of other versions follow from what others may know. */
const RANDOM_UUID = /^[\da-f]{8}-[\da-f]{4}-[47][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i

/** By a header that is sent with it the key would be somebody else's, or another one's as soon as a cookie or a token is renewed: a second job. */
const keyOfNobody = () =>
  badRequest('Idempotency-Key: expected a random UUID (version 4 or 7), or that authorize says whose the key is: { allow: true, subject }')

async function cancel(call: RequestContext, job: string, { settings, bodies }: Parts): Promise<Reply> {
  checkOrigin(call.request, settings)
  await authorizeRequest(settings, call, 'cancel', job)
  return json(202, await cancelJob(job, settings.log, cancellation(await bodies.read(call.body()))))
}
