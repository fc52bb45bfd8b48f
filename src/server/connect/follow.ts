/** `Follow`: a reading as a stream of messages, at the pace of its reader (PROTOCOL.md §9). */

import { ConnectError, type HandlerContext } from '@connectrpc/connect'
import type { FollowRequest, FollowResponse } from '../../connect/jobtail/v1/jobs_pb.ts'
import { type ErrorControl, type Frame, isControl } from '../../protocol/frames.ts'
import { patienceMs } from '../backpressured-writer.ts'
import type { ServerParts } from '../handler.ts'
import { checkHost } from '../hosts.ts'
import { badRequest, SECURITY_HEADERS, toHttpError } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import { longTimeout } from '../long-timeout.ts'
import type { Source } from '../permission.ts'
import { endAtWindow, helloFor, STREAM_HEADERS, streamBudget } from '../readings/hello-and-encode.ts'
import { checkErrors } from '../readings/json.ts'
import { openReading, subscribeAll } from '../readings/open.ts'
import type { Delivery } from '../request-context.ts'
import { checkJobs, isWindow, subscribeRequest } from '../routes.ts'
import type { Settings } from '../server-options.ts'
import type { Subscriber } from '../subscriber.ts'
import { toConnectError } from './errors.ts'
import { toResponse } from './to-response.ts'
import { requestOf } from './unary.ts'

const HEADERS = { ...SECURITY_HEADERS, ...STREAM_HEADERS, 'Cache-Control': 'private, no-store, no-transform' }
/** How long a reader that was too slow may take to read `bye`. */
const CLOSING_MS = 2000
/** NGHTTP2_CANCEL (RFC 9113 §7). */
const CANCEL = 8

interface Reading {
  subscriber: Subscriber
  delivery: Delivery
  /** What was read before the call was answered, so that a refusal of its only job could be its status. */
  first: Frame[]
}

/** Reads jobs until each has ended, the server says `bye`, or the client has gone. `once`: until everything that is known now was read. */
export async function* follow(request: FollowRequest, context: HandlerContext, source: Source, parts: ServerParts): AsyncGenerator<FollowResponse, void> {
  const { settings } = parts
  const reading = await open(request, context, source, parts)
  const { subscriber, delivery } = reading
  const pace = watchPace(reading, source, settings)
  for (const [name, value] of Object.entries(HEADERS)) context.responseHeader.set(name, value)
  try {
    for await (const frames of framesOf(reading, request.once, settings)) {
      if (frames.length === 0) continue
      const response = toResponse(frames)
      pace.begin(response)
      yield response // returns once there is room for the next one
      pace.end()
    }
    // The reason of a deadline is a `ConnectError`. Of a client that has gone there is nobody to tell.
    if (context.signal.reason instanceof ConnectError) throw context.signal.reason
  } finally {
    pace.end()
    subscriber.end()
    delivery.close()
  }
}

async function open(request: FollowRequest, context: HandlerContext, source: Source, parts: ServerParts): Promise<Reading> {
  const { settings, metrics } = parts
  let close = () => {}
  try {
    const asked = { request: requestOf(context, 'GET'), source, signal: context.signal }
    checkHost(asked.request, settings)
    const requests = requestsOf(request, settings)
    const windowBytes = windowOf(request)
    const { subscriber, slot, delivery } = openReading(asked, parts, request.once ? 'short-poll' : 'connect', { windowBytes })
    close = delivery.close
    await subscribeAll(requests, asked, settings, { subscriber, slot })
    const first = await subscriber.readAvailable(streamBudget(settings))
    checkErrors(first.filter(isError), requests.length === 1)
    return { subscriber, delivery, first }
  } catch (error) {
    close()
    const refusal = toHttpError(error, settings.onError)
    metrics.rejected(refusal.status)
    throw toConnectError(refusal)
  }
}

const isError = (frame: Frame): frame is ErrorControl => isControl(frame) && frame.control === 'error'

function requestsOf({ jobs }: FollowRequest, { maxJobsPerConnection }: Settings): SubscribeRequest[] {
  if (jobs.length === 0) throw badRequest('jobs: expected at least one, got none')
  const ids = jobs.map(({ job }) => job)
  checkJobs(ids, maxJobsPerConnection)
  return jobs.map(({ job, after }) => subscribeRequest(job, after))
}

function windowOf({ windowBytes }: FollowRequest): number {
  const bytes = Number(windowBytes)
  if (bytes === 0) return Number.POSITIVE_INFINITY
  if (!isWindow(bytes)) throw badRequest('window_bytes: expected a number of bytes, an integer from 1, or 0 for no limit')
  return bytes
}

/** Yields frames as there are some. The next ones are read from the log once these were written. */
async function* framesOf({ subscriber, first }: Reading, isOnce: boolean, settings: Settings): AsyncGenerator<readonly Frame[], void> {
  const hello = helloFor(settings)
  yield [isOnce ? { ...hello, pollMs: settings.shortPollPauseMs } : hello, ...first]
  for (;;) {
    if (!isOnce) endAtWindow(subscriber)
    if (subscriber.hasPending()) {
      const frames = await subscriber.readAvailable(streamBudget(settings))
      yield isOnce ? frames.filter((frame) => !isControl(frame) || frame.control !== 'bye') : frames
    } else if (isOnce || subscriber.isDone(false)) break
    else await new Promise<void>((resolve) => subscriber.whenPending(resolve))
  }
  if (isOnce) yield [{ control: 'end', more: subscriber.hasMore() }]
}

/** Ends the call of a reader that leaves a message unread for too long: by `bye`, and a little later with its connection. */
function watchPace({ subscriber, delivery }: Reading, { node }: Source, { heartbeatMs }: Settings) {
  let cancel = () => {}
  const destroy = () => {
    delivery.close()
    if (node && 'stream' in node) node.stream.close(CANCEL)
    else node?.socket.destroy()
  }
  delivery.onDestroy(destroy)
  return {
    begin({ frames }: FollowResponse): void {
      const bytes = frames.reduce((sum, { frame }) => sum + (frame.case === 'event' ? frame.value.dataJson.length : 0), 0)
      const endSlow = () => {
        subscriber.bye('slow', 1000)
        cancel = longTimeout(CLOSING_MS, destroy)
      }
      cancel = longTimeout(patienceMs(bytes, heartbeatMs), endSlow)
    },
    end: () => cancel()
  }
}
