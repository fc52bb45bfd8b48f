/** One streamed answer of somebody else's server, whatever its splitter: numbered, resumed, and ended by the job alone. */

import { child, delay } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Answer } from '../transports/http.ts'
import type { Backend, Batch, JobCursor, OpenRequest, Transport } from '../types.ts'
import { type DocumentOptions, lookAt } from './document.ts'
import { addressOf, ask, expectedOf, lastEventId, orRefused, type RequestHook, wordedOf } from './foreign.ts'
import { operationsOf, type StartOptions } from './foreign-start.ts'
import { type EndRule, endIn, type Meaning, type Message, meaningOf } from './message.ts'
import { CURSOR, cursorOf, type StreamPlace, streamPlaceOf } from './stream-places.ts'

export interface StreamOptions extends StartOptions {
  /**
   * What the server lets be promised: `log`, its messages have ids, from which it goes on; `replay`, each answer begins at the first message; `lossy`, neither.
   * @defaultValue `'log'`
   */
  promises?: 'log' | 'replay' | 'lossy' | undefined
  /**
   * What is asked for; with `cursor` where it goes on. An answer to a POST that starts the work is gone on with by another request.
   * @defaultValue GET `{url}/{id}`
   */
  request?: RequestHook | undefined
  /**
   * Where the cursor goes: a header, or a parameter of the URL, for the servers that have one (`lastEventId`, `last_event_id`, `after`, `startIndex`).
   * @defaultValue `'header'`: `Last-Event-ID`
   */
  cursor?: 'header' | { parameter: string } | undefined
  /** @defaultValue `'[DONE]'` */
  end?: EndRule | readonly EndRule[] | undefined
  /** What a message means; undefined: nothing. @defaultValue by its name */
  read?: ((message: Message) => Meaning | undefined) | undefined
  /** A status document: asked after each end of an answer that no rule has ended, and beside a silent one. */
  status?: DocumentOptions | undefined
  /** The server says something at least so often, in ms: 2.5 of these without a byte are a death. @defaultValue none: silence is no death */
  heartbeatMs?: number | undefined
}

/** How an answer is cut into messages. */
export interface Splitter {
  name: string
  accept: string
  split(take: (message: Message) => void): { feed(chunk: string): void; rest(): void }
}

/** The longest message taken: 16 Mi characters. */
export const MAX_MESSAGE_CHARS: number = 2 ** 24
/** An answer that has opened and says nothing has opened for good after so long. */
const OPEN_MS = 500
/** A look at a stream has seen what is there when nothing has come for so long. */
const QUIET_MS = 1000

export function streamBackend(options: StreamOptions, splitter: Splitter): Backend {
  const { promises = 'log', status } = options
  const transport = (name: string, isLook: boolean): Transport => ({
    name,
    isSupported: () => true,
    // Each answer is one of its own: what can't be resumed without loss, or cheaply, is not replaced for having been read far.
    ...(promises !== 'log' && { traits: { polls: 'long' } }),
    open: (request) => ({ frames: orRefused(request, read(request, { ...options, promises }, splitter, isLook)) })
  })
  return {
    promises,
    transports: [transport(splitter.name, false)],
    ...((status || promises === 'log') && { readOnce: transport(`${splitter.name}-look`, true) }),
    expected: expectedOf(CURSOR),
    ...operationsOf(options)
  }
}

async function* read(request: OpenRequest, options: StreamOptions, splitter: Splitter, isLook: boolean): AsyncGenerator<Batch, void> {
  const [asked] = request.jobs
  if (!asked) return
  const { head, place, skip } = begin(asked, options)
  if (isLook && options.status) {
    const end = await endInDocument(request, asked, options)
    // It goes on: nobody knows more than that. Where it is over, what came before the end is read first.
    if (!end || isControl(end)) return yield end ? [end] : head
  }
  const answer = await open(request, asked, options, place.id, splitter.accept)
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
    place.seq += 1
    isOver = isTerminal(type)
    events.push({ id: cursorOf(place), seq: place.seq, job: asked.job, type, time: new Date().toISOString(), data })
  }
  if (answer) {
    const { feed, rest } = splitter.split(takerOf(options, place, skip, (meaning) => isOver || emit(meaning)))
    for await (const chunk of quietly(answer, isLook ? QUIET_MS : OPEN_MS, request.signal)) {
      if (chunk === undefined && isLook) return yield opening()
      events = opening()
      if (chunk !== undefined) feed(chunk)
      else if (events.length === 0) continue
      yield Object.assign(events, { textLength: chunk?.length ?? 0 })
      if (isOver) return
    }
    events = []
    const before = { ...place }
    rest()
    // What nothing has closed may be half of something: only the end counts.
    if (!isOver) {
      events = []
      Object.assign(place, before)
    }
  }
  if (!isOver) {
    const end = options.status ? await endInDocument(request, asked, options) : answer ? undefined : (['succeeded', null] as const)
    if (end && isControl(end)) return yield [end]
    if (end) emit(end)
  }
  if (isOver) yield [...opening(), ...events]
  else throw new TransportError('cut', 'the answer ended, but nothing in it has ended the job')
}

/** What a reading begins with, and what of it is had already. */
function begin({ job, ref, after }: JobCursor, { promises, heartbeatMs }: StreamOptions): { head: Frame[]; place: StreamPlace; skip: number } {
  const had = streamPlaceOf(after)
  // Nothing says where it goes on: whatever came meanwhile is lost.
  const isLost = promises === 'lossy' || (promises === 'log' && had.seq > 0 && had.id === undefined)
  const place = isLost ? streamPlaceOf(undefined) : had
  return {
    head: [
      { control: 'hello', protocol: 1, ...(heartbeatMs && { heartbeatMs }) },
      {
        control: 'subscribed',
        job,
        ref,
        epoch: isLost ? `${Math.random()}` : 'stream',
        seq: place.seq,
        cursor: (!isLost && after) || cursorOf(place),
        status: 'running'
      }
    ],
    place: { ...place, ...(promises === 'replay' && { since: 0 }) },
    skip: place.since
  }
}

/** Undefined for a 204: it is over (WHATWG HTML §9.2.3). */
async function open(
  request: OpenRequest,
  { job, epoch }: JobCursor,
  options: StreamOptions,
  id: string | undefined,
  accept: string
): Promise<Answer | ErrorControl | undefined> {
  const { request: word = (job, { base }) => addressOf(job, base), cursor = 'header', promises } = options
  const from = promises === 'log' ? id : undefined
  const worded = wordedOf(await word(job, { base: request.base, cursor: from }), request.base)
  if (from !== undefined && cursor !== 'header') worded.url.searchParams.set(cursor.parameter, from)
  const headers = from !== undefined && cursor === 'header' ? { 'last-event-id': lastEventId(from) } : {}
  return ask(request, worded, epoch === undefined ? job : undefined, { accept, headers }).catch((error) => {
    if (error.status === 204) return undefined
    throw error
  })
}

/** Gives the meaning of each message that hasn't been had. */
function takerOf(
  { promises, end = '[DONE]', read = meaningOf }: StreamOptions,
  place: StreamPlace,
  skip: number,
  emit: (meaning: Meaning) => void
): (message: Message) => void {
  const rules = Array.isArray(end) ? (end as readonly EndRule[]) : [end as EndRule] // as: TypeScript doesn't narrow a readonly list
  let left = skip
  return (message: Message): void => {
    if (message.id !== undefined && promises === 'log') {
      place.id = message.id
      place.since = left = 0
    } else if (left > 0) {
      left -= 1
      if (promises === 'replay') place.since += 1
      return
    } else place.since += 1
    const meaning = endIn(message, rules) ?? read(message)
    if (meaning) emit(meaning)
  }
}

async function endInDocument(request: OpenRequest, { job, epoch }: JobCursor, { status = {} }: StreamOptions): Promise<Meaning | ErrorControl | undefined> {
  const look = await lookAt(request, job, status, epoch === undefined)
  if (isControl(look)) return look
  const end = look.parts.find(({ type }) => isTerminal(type))
  return end && [end.type, end.data]
}

/** The pieces of a body, and undefined whenever none has come for so long. */
async function* quietly({ chunks }: Answer, ms: number, signal: AbortSignal): AsyncGenerator<string | undefined, void> {
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
    chunks.return().catch(() => {}) // it may have broken already
  }
}
