import { formatFor } from '../accept.ts'
import type { Connections } from '../connections.ts'
import { badRequest } from '../http-error.ts'
import type { ConnectionKind } from '../metrics.ts'
import type { Reply, RequestContext } from '../request-context.ts'
import { type Route, subscribeRequests, waitMs, windowBytes } from '../routes.ts'
import type { Settings } from '../server-options.ts'
import { helloFor, streamBudget } from './hello-and-encode.ts'
import { answerBudget, readJson } from './json.ts'
import { readNdjson } from './ndjson.ts'
import { openReading, subscribeAll } from './open.ts'
import { readSse } from './sse.ts'

/** Answers `GET …/events` with JSON, NDJSON or an event stream, as the request asks (PROTOCOL.md §2). Throws an `HttpError`. */
export async function readEvents(context: RequestContext, route: Route & { to: 'events' }, settings: Settings, connections: Connections): Promise<Reply> {
  const { request } = context
  const requests = subscribeRequests(route, request, settings.maxJobsPerConnection)
  const [first] = requests
  if (!first) throw badRequest('job: expected at least one, got none')
  const single = requests.length === 1
  const window = windowBytes(request)
  const format = formatFor(request.headers.get('accept'))
  const wait = format === 'json' && request.method === 'GET' ? waitMs(request) : 0
  const params = new URL(request.url).searchParams
  const isLive = format === 'sse' || (format === 'ndjson' && params.get('live') === '1')
  const kind: ConnectionKind = isLive ? format : wait > 0 ? 'long-poll' : 'short-poll'
  const answerNow = format === 'json' ? new AbortController() : undefined
  const { subscriber, slot, delivery } = openReading(context, { settings, connections }, kind, {
    windowBytes: format === 'json' ? undefined : window,
    ...(answerNow && { bye: () => answerNow.abort() })
  })
  try {
    await subscribeAll(requests, context, settings, { subscriber, slot })
    if (!answerNow) {
      const body = { subscriber, hello: helloFor(settings), budget: streamBudget(settings), single, delivery }
      if (format === 'ndjson') return await readNdjson({ ...body, isLive })
      const pad = params.get('pad') === '1'
      return await readSse({ ...body, hasCursor: first.after !== undefined, pad })
    }
    const ifNoneMatch = request.headers.get('if-none-match')
    const found = await readJson({ subscriber, budget: answerBudget(window), single, waitMs: wait, answerNow: answerNow.signal, ifNoneMatch }, settings)
    subscriber.end()
    // The slot is held until the answer is sent: an answer that its client doesn't read takes memory too.
    return { ...found, delivery }
  } catch (error) {
    delivery.close()
    throw error
  }
}
