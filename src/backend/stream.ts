/** Reads the stream of another server: numbers its events, resumes it, and ends with the job alone. */

import { now } from '../async/clock.ts'
import { delay } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type ErrorControl, isControl } from '../protocol/frames.ts'
import { isTerminal, TAIL } from '../protocol/rules.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, Batch, JobCursor, OpenRequest, Transport } from '../types.ts'
import { expectedOf, withRefusals } from './foreign.ts'
import { operationsOf } from './foreign-start.ts'
import { openStream, withPauses } from './stream-answer.ts'
import { emitFromDocument, endFromDocument, pollDocument } from './stream-document.ts'
import type { Split, Splitter, StreamDetails } from './stream-options.ts'
import { CURSOR } from './stream-position.ts'
import { createStreamReader, type StreamReader } from './stream-reader.ts'

/** An answer without text counts as open after this long. */
const OPEN_MS = 500
/** A single read of a stream has seen everything when nothing has come for this long. */
const QUIET_MS = 1000
/** A server that holds requests answers one without news later than this. */
const AT_ONCE_MS = 1000
/** Nothing has come for so long. */
const QUIET = 'quiet'

/** A backend for streams that these splitters understand, the preferred one first. `single` is the splitter of single reads. */
export function streamBackend(options: StreamDetails, splitters: readonly [Splitter, ...Splitter[]], single: Splitter = splitters[0]): Backend {
  const { promises = 'log', status, request, takesTail = promises === 'lossy' || (promises === 'log' && !!request) } = options
  const transport = (splitter: Splitter, isReadOnce: boolean): Transport => ({
    name: isReadOnce ? `${splitter.name}-look` : splitter.name,
    isSupported: ({ WebSocket }) => !splitter.connect || typeof WebSocket === 'function',
    // `polls`: each answer begins anew, so a long one is not replaced halfway. Only a server with cursors can resume cheaply and without
    // loss.
    ...(promises !== 'log' ? { traits: { polls: 'long' } as const } : splitter.traits && { traits: splitter.traits }),
    open: (request) => ({ frames: withRefusals(request, read(request, { ...options, promises }, splitter, isReadOnce)) })
  })
  return {
    promises,
    transports: splitters.map((each) => transport(each, false)),
    ...((status || promises === 'log') && { readOnce: transport(single, true) }),
    expected: expectedOf(CURSOR, takesTail),
    ...operationsOf(options)
  }
}

async function* read(request: OpenRequest, options: StreamDetails, splitter: Splitter, isReadOnce: boolean): AsyncGenerator<Batch, void> {
  const [asked] = request.jobs
  if (!asked) return
  const reader = createStreamReader(asked, options)
  let last: Response | undefined
  let split: Split | undefined
  let { pauseMs = 0 } = splitter
  if (isReadOnce && options.status && options.promises !== 'log') {
    const end = await endFromDocument(request, asked, options)
    // The job goes on, and the document tells no more. Where it has ended, the stream's events before the end are read first.
    if (!end || isControl(end) || !isTerminal(end[0])) return yield end && isControl(end) ? [end] : reader.frames()
  }
  if (options.readsDocumentFirst && asked.epoch === undefined) {
    const end = await endFromDocument(request, asked, options)
    if (end && isControl(end)) return yield [end]
  }
  for (;;) {
    const askedAt = now()
    const { seq } = reader.position
    const opened = open(request, asked, options, splitter, reader, last)
    // A server that holds a poll has nothing more to tell.
    const answer =
      isReadOnce && splitter.pauseMs !== undefined
        ? await Promise.race([opened, delay(QUIET_MS, request.signal).then((): typeof QUIET => QUIET)])
        : await opened
    if (answer === QUIET) {
      if (reader.hasBegun) return
      throw new TransportError('silent', `no answer within ${QUIET_MS} ms`)
    }
    if (answer === 'refused') return yield* pollDocument(request, asked, options, reader, isReadOnce)
    if (answer && isControl(answer)) return yield [answer]
    if (answer) {
      split ??= begin(answer, asked, splitter, reader)
      if (yield* readBody(answer, split, request, reader, splitter, isReadOnce)) return
      const { rest } = split
      last = answer.response
      // The only answer of a reading may be cut off: what is left of it counts only where it ends the job. One of many is whole.
      if (splitter.pauseMs === undefined) reader.onlyTheEnd(() => rest(answer.response))
      else rest(last)
      if (reader.isToRestart) {
        split = last = undefined
        continue
      }
    }
    if (splitter.pauseMs !== undefined || (!answer && !options.status)) reader.emitKnownEnd()
    if (!answer && !options.status) reader.emit(['succeeded', null])
    if (reader.isOver) return yield reader.frames()
    if (splitter.pauseMs === undefined) break
    yield reader.frames()
    if (isReadOnce) return
    const isIdle = reader.position.seq === seq && now() - askedAt < AT_ONCE_MS
    pauseMs = isIdle ? Math.min(2 * pauseMs, splitter.maxPauseMs ?? pauseMs) : splitter.pauseMs
    await delay(pauseMs, request.signal)
  }
  const said = await emitFromDocument(request, asked, options, reader)
  if (typeof said === 'object') return yield [said]
  if (said && !reader.isOver) return yield* pollDocument(request, asked, options, reader, isReadOnce)
  reader.emitKnownEnd()
  if (reader.isOver) return yield reader.frames()
  throw new TransportError('cut', 'the answer ended, but nothing in it has ended the job')
}

/** Starts a reading with its first answer. */
function begin({ response }: Answer, { after }: JobCursor, splitter: Splitter, reader: StreamReader): Split {
  reader.begin()
  return splitter.split({ ...reader, cursor: reader.position.id, isTail: after === TAIL, response })
}

/** Reads a body. Returns true where the reading is over. */
async function* readBody(
  answer: Answer,
  split: Split,
  request: OpenRequest,
  reader: StreamReader,
  { greets }: Splitter,
  isReadOnce: boolean
): AsyncGenerator<Batch, boolean> {
  for await (const chunk of withPauses(answer, isReadOnce ? QUIET_MS : OPEN_MS, request.signal)) {
    if (chunk !== undefined) split.feed(chunk)
    else reader.emitKnownEnd()
    const isQuiet = chunk === undefined && !reader.isOver
    if (isQuiet && isReadOnce) {
      if (!reader.hasBegun && greets) throw new TransportError('mute', `the stream is open, and nothing has come within ${QUIET_MS} ms`)
      if (!reader.hasBegun) yield reader.frames()
      return true
    }
    if (isQuiet && (reader.hasBegun || greets)) continue
    yield Object.assign(reader.frames(), { textLength: chunk?.length ?? 0 })
    if (reader.isOver) return true
    if (reader.isToRestart) return false
  }
  return false
}

/** Requests the stream after the reader's position. `undefined`: the stream is over. `refused`: there is no stream, or no longer. */
async function open(
  request: OpenRequest,
  asked: JobCursor,
  options: StreamDetails,
  splitter: Splitter,
  reader: StreamReader,
  last?: Response
): Promise<Answer | ErrorControl | 'refused' | undefined> {
  const { promises, refusals = [] } = options
  const from = promises === 'log' ? reader.position.id : undefined
  const answer = await openStream(request, asked, options, splitter, from, last).catch((error: TransportError) => {
    if (refusals.includes(error.status ?? 0)) return 'refused' as const
    throw error
  })
  // The status of a refused request. An answer has no field of that name.
  if (Object(answer).status !== 410 || from === undefined) return answer
  // The server no longer retains the cursor's message: the oldest one that it has comes later.
  reader.lose()
  return open(request, asked, options, splitter, reader)
}
