import { permit } from './authorize.ts'
import type { Bodies } from './bodies.ts'
import type { Answer, Call } from './call.ts'
import { cancelJob } from './cancel.ts'
import type { Connections } from './connections.ts'
import { checkOrigin, corsHeaders, PREFLIGHT_HEADERS } from './cors.ts'
import { isLogError } from './log/types.ts'
import type { MetricsStore } from './metrics.ts'
import { closing, methodNotAllowed, notFound, problemBody, Refusal, refusalOfLog, unknownJob } from './problem.ts'
import { readEvents } from './readings/events.ts'
import { findRoute, pathBelow } from './routes.ts'
import type { Runner } from './run.ts'
import { startJob } from './start.ts'
import type { Settings } from './types.ts'

const EVERY_ANSWER = { 'Cache-Control': 'private, no-store', Vary: 'Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer' }

/** What a request needs of the server. */
export interface Parts {
  settings: Settings
  connections: Connections
  bodies: Bodies
  runner: Runner
  metrics: MetricsStore
}

/** Answers any request below `basePath`; never rejects. */
export async function answer(call: Call, parts: Parts): Promise<Answer> {
  const { settings, metrics } = parts
  let found: Answer
  try {
    found = await dispatch(call, parts)
  } catch (error) {
    const refusal = refusalFrom(error, settings)
    metrics.rejected(refusal.status)
    found = { status: refusal.status, ...problemBody(refusal) }
  }
  return { ...found, headers: { ...EVERY_ANSWER, ...corsHeaders(call.request, settings), ...found.headers } }
}

function refusalFrom(error: unknown, { onError }: Settings): Refusal {
  if (error instanceof Refusal) return error
  if (!isLogError(error, 'history-gone') && !isLogError(error, 'closed')) onError(error)
  return refusalOfLog(error)
}

function dispatch(call: Call, parts: Parts): Promise<Answer> | Answer {
  const { request } = call
  const path = pathBelow(parts.settings.basePath, new URL(request.url).pathname)
  if (path === undefined) throw notFound()
  const route = findRoute(path)
  const method = route.to === 'start' || route.to === 'cancel' ? 'POST' : 'GET'
  if (request.method === 'OPTIONS') return { status: 204, headers: PREFLIGHT_HEADERS }
  if (request.method !== method) throw methodNotAllowed(method)
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

const json = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(value)
})

async function snapshot({ request }: Call, job: string, { settings }: Parts): Promise<Answer> {
  await permit(settings, request, 'read', job)
  const found = await settings.log.snapshot(job)
  if (!found) throw unknownJob()
  return json(200, found)
}

async function start(call: Call, { settings, runner, bodies }: Parts): Promise<Answer> {
  const { request } = call
  checkOrigin(request, settings)
  const { subject } = await permit(settings, request, 'start')
  const body = await bodies.read(call.body())
  const id = await startJob({ body, idempotencyKey: request.headers.get('idempotency-key'), subject }, settings, runner)
  return json(202, await settings.log.snapshot(id), { Location: `${settings.basePath}/${encodeURIComponent(id)}` })
}

async function cancel({ request }: Call, job: string, { settings }: Parts): Promise<Answer> {
  checkOrigin(request, settings)
  await permit(settings, request, 'cancel', job)
  return json(202, await cancelJob(job, settings.log))
}
