import { formatFor } from '../accept.ts'
import { authorizeRequest } from '../authorize.ts'
import type { ConnectionSlot, Connections } from '../connections.ts'
import { badRequest, HttpError } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import type { ConnectionKind } from '../metrics.ts'
import type { Reply, RequestContext } from '../request-context.ts'
import { type Route, subscribeRequests, waitMs, windowBytes } from '../routes.ts'
import { Subscriber } from '../subscriber.ts'
import type { Settings } from '../types.ts'
import { helloFor, streamBudget } from './hello-and-encode.ts'
import { answerBudget, readJson } from './json.ts'
import { readNdjson } from './ndjson.ts'
import { readSse } from './sse.ts'

/** Answers `GET …/events` with JSON, NDJSON or an event stream, as the request asks (PROTOCOL.md §2). Throws an `HttpError`. */
export async function readEvents(context: RequestContext, route: Route & { to: 'events' }, settings: Settings, connections: Connections): Promise<Reply> {
  const { request, signal } = context
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
  const slot = connections.admit(context.source.address, kind)
  const { log, heartbeatMs, onError } = settings
  const subscriber = new Subscriber({
    log,
    heartbeatMs,
    isWatching: kind !== 'short-poll',
    windowBytes: format === 'json' ? undefined : window,
    onError,
    meter: slot.meter
  })
  const close = () => {
    subscriber.end()
    slot.release()
    signal.removeEventListener('abort', close) // not `context.signal`: the closure would keep the whole request in memory while the stream is open
  }
  signal.addEventListener('abort', close)
  if (signal.aborted) close()
  /** Until the reply is sent there is no connection to destroy: then this only stops waiting for `authorize` and the log. */
  let destroy = close
  const delivery = { onDestroy: (call: () => void) => (destroy = call), close }
  const answerNow = format === 'json' ? new AbortController() : undefined
  slot.hold({ bye: (...said) => (answerNow ? answerNow.abort() : subscriber.bye(...said)), destroy: () => destroy() })
  try {
    await subscribeAll(requests, single, subscriber, context, slot, settings)
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
    close()
    throw error
  }
}

/**
 * Authorises and subscribes each job. Among several jobs, one that may not be read (403) gets an `error` of its own; other errors fail the request
 * (PROTOCOL.md §7).
 */
async function subscribeAll(
  asks: readonly SubscribeRequest[],
  single: boolean,
  subscriber: Subscriber,
  call: RequestContext,
  slot: ConnectionSlot,
  settings: Settings
): Promise<void> {
  const answers = await Promise.allSettled(asks.map(({ job }) => authorizeRequest(settings, call, 'read', job)))
  for (const [index, ask] of asks.entries()) {
    const answer = answers[index]
    if (answer?.status === 'fulfilled') {
      slot.expireAt(answer.value.expiresAt)
      subscriber.subscribe(ask)
      continue
    }
    const error: unknown = answer?.reason
    if (single || !(error instanceof HttpError) || error.status !== 403) throw error
    subscriber.fail(error, ask.job)
  }
}
