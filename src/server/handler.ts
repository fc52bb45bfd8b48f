import { authorizeRequest } from './authorize.ts'
import type { BodyReader } from './body-reader.ts'
import { cancelJob, parseCancellation } from './cancel.ts'
import type { Connections } from './connections.ts'
import { checkOrigin, corsHeaders, preflightHeaders } from './cors.ts'
import { checkHost } from './hosts.ts'
import { badRequest, closing, methodNotAllowed, notFound, problemBody, SECURITY_HEADERS, toHttpError, unknownJob } from './http-error.ts'
import type { MetricsStore } from './metrics.ts'
import { readEvents } from './readings/events.ts'
import { isStreamBody, type Reply, type RequestContext } from './request-context.ts'
import { findRoute, pathBelow, pathOf } from './routes.ts'
import type { Runner } from './run.ts'
import type { Settings } from './server-options.ts'
import { startJob } from './start.ts'

const EVERY_REPLY = { ...SECURITY_HEADERS, 'Cache-Control': 'private, no-store', Vary: 'Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer' }

/** The parts of a server that answer requests. */
export interface ServerParts {
  settings: Settings
  connections: Connections
  bodies: BodyReader
  runner: Runner
  metrics: MetricsStore
}

/** Answers a request. Never rejects: errors are replies. Outside `basePath` the reply is a 404. */
export async function handleRequest(context: RequestContext, parts: ServerParts): Promise<Reply> {
  const { settings, metrics } = parts
  let reply: Reply
  try {
    reply = await dispatch(context, parts)
  } catch (error) {
    const httpError = toHttpError(error, settings.onError)
    metrics.rejected(httpError.status)
    reply = { status: httpError.status, ...problemBody(httpError) }
  }
  if (context.request.method === 'HEAD') reply = withoutBody(reply)
  return { ...reply, headers: { ...EVERY_REPLY, ...corsHeaders(context.request, settings), ...reply.headers } }
}

/** The reply to `HEAD`: the one to `GET` without its body (RFC 9110 §9.3.2). */
function withoutBody({ status, headers, body, delivery }: Reply): Reply {
  if (isStreamBody(body)) body.close()
  const length = body === undefined || isStreamBody(body) ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  return { status, headers: { ...headers, ...length }, ...(delivery ? { delivery } : {}) }
}

function dispatch(context: RequestContext, parts: ServerParts): Promise<Reply> | Reply {
  const { request } = context
  checkHost(request, parts.settings)
  const path = pathBelow(parts.settings.basePath, pathOf(context.target))
  if (path === undefined) throw notFound()
  const route = findRoute(path)
  const methods = route.to === 'start' || route.to === 'cancel' ? ['POST'] : ['GET', 'HEAD']
  if (request.method === 'OPTIONS') return { status: 204, headers: { Allow: [...methods, 'OPTIONS'].join(', '), ...preflightHeaders(request) } }
  if (!methods.includes(request.method)) throw methodNotAllowed(methods.join(', '))
  if (parts.connections.closing) throw closing()
  switch (route.to) {
    case 'events':
      return readEvents(context, route, parts.settings, parts.connections)
    case 'snapshot':
      return snapshot(context, route.job, parts)
    case 'start':
      return start(context, parts)
    case 'cancel':
      return cancel(context, route.job, parts)
  }
}

const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(value)
})

async function snapshot(context: RequestContext, job: string, { settings }: ServerParts): Promise<Reply> {
  await authorizeRequest(settings, context, 'read', job)
  const found = await settings.log.snapshot(job)
  if (!found) throw unknownJob()
  return json(200, found)
}

async function start(context: RequestContext, { settings, runner, bodies }: ServerParts): Promise<Reply> {
  const { request } = context
  checkOrigin(request, settings)
  const { subject } = await authorizeRequest(settings, context, 'start')
  const idempotencyKey = request.headers.get('idempotency-key')
  if (idempotencyKey !== null && settings.authorize && subject === undefined && !RANDOM_UUID.test(idempotencyKey)) throw unscopedKey()
  const body = await bodies.read(context.body())
  const { id, isRepeat } = await startJob({ body, idempotencyKey, subject }, settings, runner)
  // The first request was allowed to start the job. Whoever repeats its key needs a permission of their own to see it.
  if (isRepeat) await authorizeRequest(settings, context, 'read', id)
  return json(202, await settings.log.snapshot(id), { Location: `${settings.basePath}/${encodeURIComponent(id)}` })
}

/** A UUID of version 4 or 7 (RFC 9562): nobody can guess it. UUIDs of other versions are computed from a clock, an address or a name. */
const RANDOM_UUID = /^[\da-f]{8}-[\da-f]{4}-[47][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i

/**
 * Refuses a guessable key without a subject. To scope it by a header of the request instead would be wrong: two tenants may send the same header, and a renewed
 * cookie or token would start the job a second time.
 */
const unscopedKey = () =>
  badRequest(
    'Idempotency-Key: expected a random UUID (version 4 or 7), since authorize named no subject to whom the key belongs; it may return { allow: true, subject }'
  )

async function cancel(context: RequestContext, job: string, { settings, bodies }: ServerParts): Promise<Reply> {
  checkOrigin(context.request, settings)
  await authorizeRequest(settings, context, 'cancel', job)
  return json(202, await cancelJob(job, settings.log, parseCancellation(await bodies.read(context.body()))))
}
