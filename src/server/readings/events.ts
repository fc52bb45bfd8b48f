import { formatFor } from '../accept.ts'
import { authorizeRequest } from '../authorize.ts'
import type { ConnectionSlot, Connections } from '../connections.ts'
import { badRequest, HttpError } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import type { ConnectionKind } from '../metrics.ts'
import type { Reply, RequestContext } from '../request-context.ts'
import { asked, type Route, waitMs, windowBytes } from '../routes.ts'
import { Subscriber } from '../subscriber.ts'
import type { Settings } from '../types.ts'
import { helloFor, streamBudget } from './hello-and-encode.ts'
import { answerBudget, readJson } from './json.ts'
import { readNdjson } from './ndjson.ts'
import { readSse } from './sse.ts'

/** The JSON, NDJSON or event stream that a GET of events asks for. */
export async function readEvents(call: RequestContext, route: Route & { to: 'events' }, settings: Settings, connections: Connections): Promise<Reply> {
  const { request, signal } = call
  const asks = asked(route, request, settings.maxJobsPerConnection)
  const [first] = asks
  if (!first) throw badRequest('job: expected one at least')
  const single = asks.length === 1
  const window = windowBytes(request)
  const format = formatFor(request.headers.get('accept'))
  const wait = format === 'json' && request.method === 'GET' ? waitMs(request) : 0
  const kind: ConnectionKind = format === 'sse' ? 'sse' : wait > 0 ? 'long-poll' : 'short-poll'
  const slot = connections.admit(call.source.address, kind)
  const { log, heartbeatMs, onError } = settings
  const subscriber = new Subscriber({
    log,
    heartbeatMs,
    listen: kind !== 'short-poll',
    windowBytes: format === 'json' ? undefined : window,
    onError,
    meter: slot.meter
  })
  const close = () => {
    subscriber.end()
    slot.release()
    signal.removeEventListener('abort', close) // not `call.signal`: an open stream would hold its request
  }
  signal.addEventListener('abort', close)
  if (signal.aborted) close()
  /** Until there is an answer there is nothing to cut: `authorize`, or the log, is not waited for any more. */
  let cut = close
  const delivery = { onCut: (call: () => void) => (cut = call), close }
  const answerNow = format === 'json' ? new AbortController() : undefined
  slot.hold({ bye: (...said) => (answerNow ? answerNow.abort() : subscriber.bye(...said)), cut: () => cut() })
  try {
    await subscribeAll(asks, single, subscriber, call, slot, settings)
    if (!answerNow) {
      const body = { subscriber, hello: helloFor(settings), budget: streamBudget(settings), single, delivery }
      if (format === 'ndjson') return await readNdjson(body)
      const pad = new URL(request.url).searchParams.get('pad') === '1'
      return await readSse({ ...body, hasCursor: first.after !== undefined, pad })
    }
    const ifNoneMatch = request.headers.get('if-none-match')
    const found = await readJson({ subscriber, budget: answerBudget(window), single, waitMs: wait, answerNow: answerNow.signal, ifNoneMatch }, settings)
    subscriber.end()
    // The slot is held until the answer has left: one that nobody takes is memory as well.
    return { ...found, delivery }
  } catch (error) {
    close()
    throw error
  }
}

/** Among several, a job that may not be read has its own `error`; other refusals are the whole request's (PROTOCOL.md §7). */
async function subscribeAll(
  asks: readonly SubscribeRequest[],
  single: boolean,
  subscriber: Subscriber,
  call: RequestContext,
  slot: ConnectionSlot,
  settings: Settings
): Promise<void> {
  const grants = await Promise.allSettled(asks.map(({ job }) => authorizeRequest(settings, call, 'read', job)))
  for (const [index, ask] of asks.entries()) {
    const grant = grants[index]
    if (grant?.status === 'fulfilled') {
      slot.expireAt(grant.value.expiresAt)
      subscriber.subscribe(ask)
      continue
    }
    const refusal: unknown = grant?.reason
    if (single || !(refusal instanceof HttpError) || refusal.status !== 403) throw refusal
    subscriber.fail(refusal, ask.job)
  }
}
