/** Reads the stream of another server: numbers its events, resumes it, and ends with the job alone. */

import { child, delay } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, Batch, JobCursor, OpenRequest, Transport } from '../types.ts'
import { type DocumentOptions, readDocument } from './document.ts'
import { addressOf, expectedOf, lastEventId, type RequestHook, requestOf, sendRequest, withRefusals } from './foreign.ts'
import { type OperationOptions, operationsOf } from './foreign-start.ts'
import { defaultMeaning, type EndRule, type Meaning, type Message, matchEnd } from './message.ts'
import { CURSOR, cursorOf, type StreamPosition, streamPositionOf } from './stream-position.ts'

/** Options of `plainSse` and `ndjson`. */
export interface StreamOptions extends OperationOptions {
  /**
   * What can be promised of the server. `log`: its messages have ids to resume from. `replay`: each answer begins at the first message.
   * `lossy`: neither.
   * @defaultValue `'log'`
   */
  promises?: 'log' | 'replay' | 'lossy' | undefined
  /**
   * The request for a job's stream, with `cursor` where it resumes. Where a POST starts the work, another request has to resume it.
   * @defaultValue GET `{url}/{id}`
   */
  request?: RequestHook | undefined
  /**
   * How the cursor is sent: as the header `Last-Event-ID`, or as the URL parameter that the server has for it (`lastEventId`,
   * `last_event_id`, `after`, `startIndex`).
   * @defaultValue `'header'`
   */
  cursor?: 'header' | { parameter: string } | undefined
  /**
   * What ends the job: one rule, or several.
   * @defaultValue `'[DONE]'`
   */
  end?: EndRule | readonly EndRule[] | undefined
  /**
   * What a message means; `undefined`: it is no event.
   * @defaultValue by the message's name: `error` fails the job; a message without a name has the type in `data.type`, otherwise `output`
   */
  read?: ((message: Message) => Meaning | undefined) | undefined
  /**
   * A status document. It is read after each answer that no rule has ended, and beside a silent one.
   * @defaultValue none
   */
  status?: DocumentOptions | undefined
  /**
   * The server's heartbeat, in ms: it sends something at least this often. After 2.5 of these without a byte the connection is replaced.
   * @defaultValue none: silence alone never ends a connection
   */
  heartbeatMs?: number | undefined
}

/** Splits an answer into messages. */
export interface Splitter {
  /** The transport's name. */
  name: string
  /** The header `Accept`. */
  accept: string
  /** Starts an answer. `feed` takes its text as it arrives, `rest` what is left at its end; each message goes to `take`. */
  split(take: (message: Message) => void): { feed(chunk: string): void; rest(): void }
}

/** The longest message accepted: 16 Mi characters. */
export const MAX_MESSAGE_CHARS: number = 2 ** 24
/** An answer without text counts as open after this long. */
const OPEN_MS = 500
/** A single read of a stream has seen everything when nothing has come for this long. */
const QUIET_MS = 1000

/** A backend for streams that this splitter understands. */
export function streamBackend(options: StreamOptions, splitter: Splitter): Backend {
  const { promises = 'log', status } = options
  const transport = (name: string, isReadOnce: boolean): Transport => ({
    name,
    isSupported: () => true,
    // `polls`: each answer begins anew, so a long one is not replaced halfway. Only a server with cursors can resume cheaply and without
    // loss.
    ...(promises !== 'log' && { traits: { polls: 'long' } }),
    open: (request) => ({ frames: withRefusals(request, read(request, { ...options, promises }, splitter, isReadOnce)) })
  })
  return {
    promises,
    transports: [transport(splitter.name, false)],
    ...((status || promises === 'log') && { readOnce: transport(`${splitter.name}-look`, true) }),
    expected: expectedOf(CURSOR),
    ...operationsOf(options)
  }
}

async function* read(request: OpenRequest, options: StreamOptions, splitter: Splitter, isReadOnce: boolean): AsyncGenerator<Batch, void> {
  const [asked] = request.jobs
  if (!asked) return
  const { head, position, skip } = startReading(asked, options)
  if (isReadOnce && options.status) {
    const end = await endFromDocument(request, asked, options)
    // The job goes on, and the document tells no more. Where it has ended, the stream's events before the end are read first.
    if (!end || isControl(end)) return yield end ? [end] : head
  }
  const answer = await open(request, asked, options, position.id, splitter.accept)
  if (answer && isControl(answer)) return yield [answer]
  let isOpen = false
  const opening = (): Frame[] => {
    const frames = isOpen ? [] : head
    isOpen = true
    return frames
  }
  let events: Frame[] = []
  let isOver = false
  const emit = ([type, data = null]: Meaning): void => {
    position.seq += 1
    isOver = isTerminal(type)
    events.push({ id: cursorOf(position), seq: position.seq, job: asked.job, type, time: new Date().toISOString(), data })
  }
  if (answer) {
    const { feed, rest } = splitter.split(messageHandler(options, position, skip, (meaning) => isOver || emit(meaning)))
    for await (const chunk of withPauses(answer, isReadOnce ? QUIET_MS : OPEN_MS, request.signal)) {
      if (chunk === undefined && isReadOnce) return yield opening()
      events = opening()
      if (chunk !== undefined) feed(chunk)
      else if (events.length === 0) continue
      yield Object.assign(events, { textLength: chunk?.length ?? 0 })
      if (isOver) return
    }
    events = []
    const before = { ...position }
    rest()
    // An unfinished message may be cut off: it counts only where it ends the job.
    if (!isOver) {
      events = []
      Object.assign(position, before)
    }
  }
  if (!isOver) {
    const end = options.status ? await endFromDocument(request, asked, options) : answer ? undefined : (['succeeded', null] as const)
    if (end && isControl(end)) return yield [end]
    if (end) emit(end)
  }
  if (isOver) yield [...opening(), ...events]
  else throw new TransportError('cut', 'the answer ended, but nothing in it has ended the job')
}

/** The first frames of a reading, its position, and how many messages to skip because they were received before. */
function startReading({ job, ref, after }: JobCursor, { promises, heartbeatMs }: StreamOptions): { head: Frame[]; position: StreamPosition; skip: number } {
  const had = streamPositionOf(after)
  // Without a cursor nothing says where the stream resumes: what came in between is lost.
  const isLost = promises === 'lossy' || (promises === 'log' && had.seq > 0 && had.id === undefined)
  const position = isLost ? streamPositionOf(undefined) : had
  return {
    head: [
      { control: 'hello', protocol: 1, ...(heartbeatMs && { heartbeatMs }) },
      {
        control: 'subscribed',
        job,
        ref,
        epoch: isLost ? `${Math.random()}` : 'stream',
        seq: position.seq,
        cursor: (!isLost && after) || cursorOf(position),
        status: 'running'
      }
    ],
    position: { ...position, ...(promises === 'replay' && { since: 0 }) },
    skip: position.since
  }
}

/** Requests the stream. `undefined` for a 204: the stream is over (WHATWG HTML §9.2.3). */
async function open(
  request: OpenRequest,
  { job, epoch }: JobCursor,
  options: StreamOptions,
  id: string | undefined,
  accept: string
): Promise<Answer | ErrorControl | undefined> {
  const { request: requestHook = (job, { base }) => addressOf(job, base), cursor = 'header', promises } = options
  const from = promises === 'log' ? id : undefined
  const given = requestOf(await requestHook(job, { base: request.base, cursor: from }), request.base)
  if (from !== undefined && cursor !== 'header') given.url.searchParams.set(cursor.parameter, from)
  const headers = from !== undefined && cursor === 'header' ? { 'last-event-id': lastEventId(from) } : {}
  return sendRequest(request, given, epoch === undefined ? job : undefined, { accept, headers }).catch((error) => {
    if (error.status === 204) return undefined
    throw error
  })
}

/** Makes a function that emits the meaning of each message that was not received before. */
function messageHandler(
  { promises, end = '[DONE]', read = defaultMeaning }: StreamOptions,
  position: StreamPosition,
  skip: number,
  emit: (meaning: Meaning) => void
): (message: Message) => void {
  const rules = Array.isArray(end) ? (end as readonly EndRule[]) : [end as EndRule] // as: TypeScript does not narrow a readonly list
  let left = skip
  return (message: Message): void => {
    if (message.id !== undefined && promises === 'log') {
      position.id = message.id
      position.since = left = 0
    } else if (left > 0) {
      left -= 1
      if (promises === 'replay') position.since += 1
      return
    } else position.since += 1
    const meaning = matchEnd(message, rules) ?? read(message)
    if (meaning) emit(meaning)
  }
}

async function endFromDocument(request: OpenRequest, { job, epoch }: JobCursor, { status = {} }: StreamOptions): Promise<Meaning | ErrorControl | undefined> {
  const look = await readDocument(request, job, status, epoch === undefined)
  if (isControl(look)) return look
  const end = look.parts.find(({ type }) => isTerminal(type))
  return end && [end.type, end.data]
}

/** Yields the pieces of a body, and `undefined` whenever none has come for `ms`. */
async function* withPauses({ chunks }: Answer, ms: number, signal: AbortSignal): AsyncGenerator<string | undefined, void> {
  try {
    for (let next: ReturnType<typeof chunks.next> | undefined; ; ) {
      next ??= chunks.next()
      const quiet = child(signal)
      const item = await Promise.race([next, delay(ms, quiet.signal).then(() => undefined)]).finally(() => {
        quiet.release()
        quiet.abort()
      })
      if (item?.done) return
      if (item) next = undefined
      yield item?.value
    }
  } finally {
    chunks.return().catch(() => {}) // the body may have failed already
  }
}
