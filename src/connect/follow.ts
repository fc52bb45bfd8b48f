/** `Follow` as frames: as a stream, or as what is known now. */

import { Code, ConnectError } from '@connectrpc/connect'
import { child, orAborted } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { isHidden, untilSeen } from '../page.ts'
import { type Frame, type Hello, isControl } from '../protocol/frames.ts'
import type { Asked } from '../protocol/urls.ts'
import { type Cursors, createCursors } from '../transports/cursors.ts'
import type { Batch, OpenRequest } from '../types.ts'
import { problemOf } from './call-errors.ts'
import { type Calls, headersOf } from './calls.ts'
import { frameOf } from './from-response.ts'
import type { FollowResponse } from './jobtail/v1/jobs_pb.ts'

/** What an event takes beside its data, in characters. */
const EVENT_CHARS = 128
/** The pause of a poll where the server tells none. */
const DEFAULT_POLL_MS = 2000
const DEFAULT_HEARTBEAT_MS = 15_000

/** Reads the jobs' events as they come. `timeoutMs`: the call's deadline, which the server or this client keeps. */
export async function* stream(request: OpenRequest, calls: Calls, timeoutMs?: number): AsyncGenerator<Batch, void> {
  let isOpen = false
  try {
    for await (const message of messagesOf(request, request.jobs, calls, { once: false, timeoutMs })) {
      isOpen = true
      yield* framesOf(message)
    }
  } catch (error) {
    request.signal.throwIfAborted()
    // What was asked for: the next call goes on at once.
    if (isOpen && timeoutMs !== undefined && codeOf(error) === Code.DeadlineExceeded) yield [{ control: 'bye', reason: 'max-age', retryMs: 0 }]
    else yield refusalOf(error, request)
  }
}

/** Reads what is known now, to its end. `onHello` is called with each answer's first frame. Returns the jobs that go on: none after a refusal. */
export async function* readOnce(
  request: OpenRequest,
  calls: Calls,
  cursors: Cursors = createCursors(request.jobs),
  onHello = (_hello: Hello): void => {}
): AsyncGenerator<Batch, Asked[]> {
  for (;;) {
    const jobs = cursors.next()
    if (jobs.length === 0) return jobs
    try {
      for await (const message of messagesOf(request, jobs, calls, { once: true }))
        for (const batch of framesOf(message)) {
          for (const frame of batch) if (isControl(frame) && frame.control === 'hello') onHello(frame)
          cursors.take(batch)
          yield batch
        }
    } catch (error) {
      yield refusalOf(error, request)
      return []
    }
    if (cursors.isMore === undefined) throw new TransportError('cut', 'the call ended before its last message')
    if (!cursors.isMore) return cursors.next()
  }
}

/** Reads what is known now again and again: for paths that hold back a stream. */
export async function* poll(request: OpenRequest, calls: Calls): AsyncGenerator<Batch, void> {
  const cursors = createCursors(request.jobs)
  let hello: Hello | undefined
  for (;;) {
    const left = yield* readOnce(request, calls, cursors, (frame) => {
      hello = frame
    })
    if (left.length === 0) return
    const { heartbeatMs = DEFAULT_HEARTBEAT_MS, pollMs = DEFAULT_POLL_MS } = hello ?? {}
    // No longer than a silence that kills the link. In a hidden page there is no hurry.
    await untilSeen(isHidden() ? heartbeatMs : Math.min(pollMs, heartbeatMs), request.signal)
  }
}

async function* messagesOf(
  request: OpenRequest,
  jobs: readonly Asked[],
  calls: Calls,
  { once, timeoutMs }: { once: boolean; timeoutMs?: number | undefined }
): AsyncGenerator<FollowResponse, void> {
  const windowBytes = request.windowBytes <= Number.MAX_SAFE_INTEGER ? BigInt(Math.ceil(request.windowBytes)) : 0n
  const life = child(request.signal) // up to connect 2.2 leaving its loop left the request open
  const options = { signal: life.signal, headers: headersOf(request), ...(timeoutMs !== undefined && { timeoutMs }) }
  try {
    const wanted = jobs.map(({ job, after = '' }) => ({ job, after }))
    const messages = calls.service(request).follow({ jobs: wanted, windowBytes, once }, options)[Symbol.asyncIterator]()
    for (;;) {
      // A transport that ignores its signal delays nothing.
      const { done, value } = await orAborted(messages.next(), request.signal)
      if (done) return
      yield value
    }
  } finally {
    life.abort()
    life.release()
  }
}

/** Yields the frames of a message: where one of them is malformed, those before it. */
function* framesOf({ frames }: FollowResponse): Generator<Batch, void> {
  const batch: Frame[] = []
  let textLength = 0
  try {
    for (const message of frames) {
      const frame = frameOf(message)
      if (frame) batch.push(frame)
      if (message.frame.case === 'event') textLength += message.frame.value.dataJson.length + EVENT_CHARS
    }
  } finally {
    yield Object.assign(batch, { textLength })
  }
}

/** The server's refusal as a batch. Throws where the path has failed. */
function refusalOf(error: unknown, request: OpenRequest): Frame[] {
  if (error instanceof TransportError) throw error
  return [{ control: 'error', ...problemOf(error, request) }]
}

const codeOf = (error: unknown): Code | undefined => (error instanceof ConnectError ? error.code : undefined)
