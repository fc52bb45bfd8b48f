/** Opens a reading of events, whatever it is written to. */

import { authorizeRequest, type Requester } from '../authorize.ts'
import type { Connection, ConnectionSlot, Connections } from '../connections.ts'
import { HttpError } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import type { ConnectionKind } from '../metrics.ts'
import type { Delivery, RequestContext } from '../request-context.ts'
import type { Settings } from '../server-options.ts'
import { Subscriber } from '../subscriber.ts'

interface OpenReading {
  subscriber: Subscriber
  slot: ConnectionSlot
  /** Its `close` ends the subscriber and gives the slot back, as the client's leaving does. */
  delivery: Delivery
}

interface ReadingOptions {
  windowBytes: number | undefined
  /** In place of the subscriber's own `bye`. */
  bye?: Connection['bye']
}

/** Takes a slot, and makes a subscriber that holds it. Throws an `HttpError` where there is no slot. */
export function openReading(
  { source, signal }: Pick<RequestContext, 'source' | 'signal'>,
  { settings, connections }: { settings: Settings; connections: Connections },
  kind: ConnectionKind,
  { windowBytes, bye }: ReadingOptions
): OpenReading {
  const slot = connections.admit(source.address, kind)
  const { log, heartbeatMs, onError } = settings
  const subscriber = new Subscriber({ log, heartbeatMs, isWatching: kind !== 'short-poll', windowBytes, onError, meter: slot.meter })
  const close = () => {
    subscriber.end()
    slot.release()
    signal.removeEventListener('abort', close) // not `context.signal`: the closure would keep the whole request in memory while the stream is open
  }
  signal.addEventListener('abort', close)
  if (signal.aborted) close()
  /** Until the reply is sent there is no connection to destroy: then this only stops waiting for `authorize` and the log. */
  let destroy = close
  slot.hold({ bye: bye ?? ((...said) => subscriber.bye(...said)), destroy: () => destroy() })
  return { subscriber, slot, delivery: { onDestroy: (call: () => void) => (destroy = call), close } }
}

/**
 * Authorises and subscribes each job. Among several jobs, one that may not be read (403) gets an `error` of its own; other errors fail the request
 * (PROTOCOL.md §7).
 */
export async function subscribeAll(
  requests: readonly SubscribeRequest[],
  requester: Requester,
  settings: Settings,
  { subscriber, slot }: Pick<OpenReading, 'subscriber' | 'slot'>
): Promise<void> {
  const answers = await Promise.allSettled(requests.map(({ job }) => authorizeRequest(settings, requester, 'read', job)))
  for (const [index, request] of requests.entries()) {
    const answer = answers[index]
    if (answer?.status === 'fulfilled') {
      slot.expireAt(answer.value.expiresAt)
      subscriber.subscribe(request)
      continue
    }
    const error: unknown = answer?.reason
    if (requests.length === 1 || !(error instanceof HttpError) || error.status !== 403) throw error
    subscriber.fail(error, request.job)
  }
}
