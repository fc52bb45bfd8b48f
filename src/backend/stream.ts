/** One streamed answer of somebody else's server, whatever its splitter: numbered, resumed, and ended by the job alone. */

import { delay } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { isHidden, untilSeen } from '../page.ts'
import { type ErrorControl, isControl } from '../protocol/frames.ts'
import { isTerminal, TAIL } from '../protocol/rules.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, Batch, JobCursor, OpenRequest, Transport } from '../types.ts'
import { LEAST_HIDDEN_MS, lookAt } from './document.ts'
import { expectedOf, orRefused } from './foreign.ts'
import { operationsOf } from './foreign-start.ts'
import type { Meaning } from './message.ts'
import { openStream, quietly } from './stream-answer.ts'
import type { Cut, Splitter, StreamDetails } from './stream-options.ts'
import { CURSOR } from './stream-places.ts'
import { createStreamReader, type StreamReader } from './stream-reader.ts'

/** An answer that has opened and says nothing has opened for good after so long. */
const OPEN_MS = 500
/** A look at a stream has seen what is there when nothing has come for so long. */
const QUIET_MS = 1000
/** The pause between two looks at the document, where there is no stream to read. */
const DOCUMENT_MS = 2000

/** Reads by each of the splitters, best first; `look` is the one for a single read beside a silent link. */
export function streamBackend(options: StreamDetails, splitters: readonly [Splitter, ...Splitter[]], look: Splitter = splitters[0]): Backend {
  const { promises = 'log', status } = options
  const transport = (splitter: Splitter, isLook: boolean): Transport => ({
    name: isLook ? `${splitter.name}-look` : splitter.name,
    isSupported: ({ WebSocket }) => !splitter.connect || typeof WebSocket === 'function',
    // Each answer is one of its own: what can't be resumed without loss, or cheaply, is not replaced for having been read far.
    ...(promises !== 'log' ? { traits: { polls: 'long' } as const } : splitter.traits && { traits: splitter.traits }),
    open: (request) => ({ frames: orRefused(request, read(request, { ...options, promises }, splitter, isLook)) })
  })
  return {
    promises,
    transports: splitters.map((each) => transport(each, false)),
    ...((status || promises === 'log') && { readOnce: transport(look, true) }),
    expected: expectedOf(CURSOR),
    ...operationsOf(options)
  }
}

async function* read(request: OpenRequest, options: StreamDetails, splitter: Splitter, isLook: boolean): AsyncGenerator<Batch, void> {
  const [asked] = request.jobs
  if (!asked) return
  const reader = createStreamReader(asked, options)
  let last: Response | undefined
  let cut: Cut | undefined
  if (isLook && options.status && options.promises !== 'log') {
    const end = await endInDocument(request, asked, options)
    // It goes on: nobody knows more than that. Where it is over, what came before the end is read first.
    if (!end || isControl(end) || !isTerminal(end[0])) return yield end && isControl(end) ? [end] : reader.frames()
  }
  if (options.asksFirst && asked.epoch === undefined) {
    const said = await endInDocument(request, asked, options)
    if (said && isControl(said)) return yield [said]
  }
  for (;;) {
    const answer = await open(request, asked, options, splitter, reader, last)
    if (answer === 'refused') return yield* untilOver(request, asked, options, reader, isLook)
    if (answer && isControl(answer)) return yield [answer]
    if (answer) {
      cut ??= begin(answer, asked, splitter, reader)
      if (yield* bodyOf(answer, cut, request, reader, isLook)) return
      const { rest } = cut
      last = answer.response
      // What nothing has closed may be half of something: only the end counts. An answer of many is a whole one.
      if (splitter.pauseMs === undefined) reader.onlyTheEnd(() => rest(answer.response))
      else rest(last)
      if (reader.isToRestart) {
        cut = last = undefined
        continue
      }
    }
    if (!answer && !options.status) reader.emit(['succeeded', null])
    if (reader.isOver) return yield reader.frames()
    if (splitter.pauseMs === undefined) break
    yield reader.frames()
    if (isLook) return
    await delay(splitter.pauseMs, request.signal)
  }
  const said = await settle(request, asked, options, reader)
  if (typeof said === 'object') return yield [said]
  if (reader.isOver) return yield reader.frames()
  if (said) return yield* untilOver(request, asked, options, reader, isLook)
  throw new TransportError('cut', 'the answer ended, but nothing in it has ended the job')
}

function begin({ response }: Answer, { after }: JobCursor, splitter: Splitter, reader: StreamReader): Cut {
  reader.begin()
  const { take, left, lose, restart } = reader
  return splitter.split({ cursor: reader.place.id, isTail: after === TAIL, response, take, left, lose, restart })
}

/** Reads a body; true where nothing is to be read after it. */
async function* bodyOf(answer: Answer, cut: Cut, request: OpenRequest, reader: StreamReader, isLook: boolean): AsyncGenerator<Batch, boolean> {
  for await (const chunk of quietly(answer, isLook ? QUIET_MS : OPEN_MS, request.signal)) {
    if (chunk === undefined && isLook) {
      if (!reader.hasBegun) yield reader.frames()
      return true
    }
    if (chunk !== undefined) cut.feed(chunk)
    else if (reader.hasBegun) continue
    yield Object.assign(reader.frames(), { textLength: chunk?.length ?? 0 })
    if (reader.isOver) return true
    if (reader.isToRestart) return false
  }
  return false
}

/** The answer; undefined: it is over; `refused`: there is no stream, or no longer. */
async function open(
  request: OpenRequest,
  asked: JobCursor,
  options: StreamDetails,
  splitter: Splitter,
  reader: StreamReader,
  last?: Response
): Promise<Answer | ErrorControl | 'refused' | undefined> {
  const { promises, refusals = [] } = options
  const from = promises === 'log' ? reader.place.id : undefined
  const answer = await openStream(request, asked, options, splitter, from, last).catch((error) => {
    const { status = 0 } = error as TransportError // as: whatever was thrown can be asked for it
    if (status === 410 && from !== undefined) return 'gone' as const
    if (refusals.includes(status)) return 'refused' as const
    throw error
  })
  if (from === undefined || (answer !== 'gone' && (typeof answer !== 'object' || !isControl(answer) || answer.status !== 410))) return answer as Answer // as: gone needs a cursor
  // The server no longer has what the cursor stands for: what it has begins elsewhere.
  reader.lose()
  return open(request, asked, options, splitter, reader)
}

/** Asks the document how the job stands: its end is emitted, `waiting` too, once, and then true. */
async function settle(request: OpenRequest, asked: JobCursor, options: StreamDetails, reader: StreamReader): Promise<ErrorControl | boolean> {
  const said = options.status && (await endInDocument(request, asked, options))
  if (!said) return false
  if (isControl(said)) return said
  if (isTerminal(said[0])) reader.emit(options.settle?.(said, reader.last) ?? said)
  else reader.emitOnce(said)
  return true
}

/** Polls the document, where there is nothing else to be read. */
async function* untilOver(request: OpenRequest, asked: JobCursor, options: StreamDetails, reader: StreamReader, isLook: boolean): AsyncGenerator<Batch, void> {
  for (;;) {
    const said = await settle(request, asked, options, reader)
    if (typeof said === 'object') return yield [said]
    yield reader.frames()
    if (reader.isOver || isLook) return
    await untilSeen(isHidden() ? LEAST_HIDDEN_MS : DOCUMENT_MS, request.signal)
  }
}

async function endInDocument(request: OpenRequest, { job, epoch }: JobCursor, { status = {} }: StreamDetails): Promise<Meaning | ErrorControl | undefined> {
  const look = await lookAt(request, job, status, epoch === undefined)
  if (isControl(look)) return look
  const end = look.parts.find(({ type }) => isTerminal(type) || type === 'waiting')
  return end && [end.type, end.data]
}
