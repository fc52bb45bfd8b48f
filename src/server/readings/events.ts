import { permit } from '../authorize.ts'
import type { Answer, Call } from '../call.ts'
import type { Connections, Slot } from '../connections.ts'
import { Follow } from '../follow.ts'
import type { Ask } from '../job-reader.ts'
import { badRequest, Refusal } from '../problem.ts'
import { asked, asksForMore, type Route, waitMs } from '../routes.ts'
import type { Settings } from '../types.ts'
import { readJson } from './json.ts'
import { readSse } from './sse.ts'
import { helloFor, streamBudget } from './stream.ts'

/** The JSON or event stream that a GET of events asks for. */
export async function readEvents(call: Call, route: Route & { to: 'events' }, settings: Settings, connections: Connections): Promise<Answer> {
  const { request, signal } = call
  const asks = asked(route, request, settings.mux)
  const [first] = asks
  if (!first) throw badRequest('job: expected one at least')
  const single = route.job !== undefined
  const streams = /text\/event-stream/i.test(request.headers.get('accept') ?? '')
  const wait = streams ? 0 : waitMs(request)
  const slot = connections.admit(call.address, streams ? 'sse' : wait > 0 ? 'long-poll' : 'short-poll')
  const { log, heartbeatMs, onError } = settings
  const follow = new Follow({
    log,
    heartbeatMs,
    listen: streams || wait > 0,
    saysMore: streams && asksForMore(request),
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
  const hurry = streams ? undefined : new AbortController()
  slot.hold({ bye: (...said) => (hurry ? hurry.abort() : follow.bye(...said)), cut: () => cut() })
  try {
    await subscribeAll(asks, single, follow, request, slot, settings)
    if (!hurry) {
      const pad = new URL(request.url).searchParams.get('pad') === '1'
      const hasCursor = first.after !== undefined
      return await readSse({ follow, hello: helloFor(settings), budget: streamBudget(settings), single, hasCursor, pad, delivery })
    }
    const ifNoneMatch = request.headers.get('if-none-match')
    const found = await readJson({ follow, single, waitMs: wait, hurry: hurry.signal, ifNoneMatch }, settings)
    follow.end()
    // The slot is held until the answer has left: one that nobody takes is memory as well.
    return { ...found, delivery }
  } catch (error) {
    close()
    throw error
  }
}

/** Among several, a job that may not be read has its own `error`; other refusals are the whole request's (PROTOCOL.md §7). */
async function subscribeAll(asks: readonly Ask[], single: boolean, follow: Follow, request: Request, slot: Slot, settings: Settings): Promise<void> {
  const grants = await Promise.allSettled(asks.map(({ job }) => permit(settings, request, 'read', job)))
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
