import { formatFor } from '../accept.ts'
import { permit } from '../authorize.ts'
import type { Answer, Call } from '../call.ts'
import type { Connections, Slot } from '../connections.ts'
import { Follow } from '../follow.ts'
import type { Ask } from '../job-reader.ts'
import type { ConnectionKind } from '../metrics.ts'
import { badRequest, Refusal } from '../problem.ts'
import { asked, type Route, waitMs, windowBytes } from '../routes.ts'
import type { Settings } from '../types.ts'
import { answerBudget, readJson } from './json.ts'
import { readNdjson } from './ndjson.ts'
import { readSse } from './sse.ts'
import { helloFor, streamBudget } from './stream.ts'

/** The JSON, NDJSON or event stream that a GET of events asks for. */
export async function readEvents(call: Call, route: Route & { to: 'events' }, settings: Settings, connections: Connections): Promise<Answer> {
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
  const follow = new Follow({
    log,
    heartbeatMs,
    listen: kind !== 'short-poll',
    windowBytes: format === 'json' ? undefined : window,
    onError,
    meter: slot.meter
  })
  const close = () => {
    follow.end()
    slot.release()
    signal.removeEventListener('abort', close) // not `call.signal`: an open stream would hold its request
  }
  signal.addEventListener('abort', close)
  if (signal.aborted) close()
  /** Until there is an answer there is nothing to cut: `authorize`, or the log, is not waited for any more. */
  let cut = close
  const delivery = { onCut: (call: () => void) => (cut = call), close }
  const hurry = format === 'json' ? new AbortController() : undefined
  slot.hold({ bye: (...said) => (hurry ? hurry.abort() : follow.bye(...said)), cut: () => cut() })
  try {
    await subscribeAll(asks, single, follow, call, slot, settings)
    if (!hurry) {
      const body = { follow, hello: helloFor(settings), budget: streamBudget(settings), single, delivery }
      if (format === 'ndjson') return await readNdjson(body)
      const pad = new URL(request.url).searchParams.get('pad') === '1'
      return await readSse({ ...body, hasCursor: first.after !== undefined, pad })
    }
    const ifNoneMatch = request.headers.get('if-none-match')
    const found = await readJson({ follow, budget: answerBudget(window), single, waitMs: wait, hurry: hurry.signal, ifNoneMatch }, settings)
    follow.end()
    // The slot is held until the answer has left: one that nobody takes is memory as well.
    return { ...found, delivery }
  } catch (error) {
    close()
    throw error
  }
}

/** Among several, a job that may not be read has its own `error`; other refusals are the whole request's (PROTOCOL.md §7). */
async function subscribeAll(asks: readonly Ask[], single: boolean, follow: Follow, call: Call, slot: Slot, settings: Settings): Promise<void> {
  const grants = await Promise.allSettled(asks.map(({ job }) => permit(settings, call, 'read', job)))
  for (const [index, ask] of asks.entries()) {
    const grant = grants[index]
    if (grant?.status === 'fulfilled') {
      slot.expireAt(grant.value.expiresAt)
      follow.subscribe(ask)
      continue
    }
    const refusal: unknown = grant?.reason
    if (single || !(refusal instanceof Refusal) || refusal.status !== 403) throw refusal
    follow.fail(refusal, ask.job)
  }
}
