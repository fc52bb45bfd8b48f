/** Serialises frames. An event is serialised once, however many readers it goes to. */

import type { Frame, WireEvent } from '../protocol/frames.ts'
import { isControl } from '../protocol/frames.ts'
import { byteLength } from './platform.ts'

const KEY = 'jobtail:mark'
const MARK = `"${KEY}":`
/** The mark is the last member. Only this many characters at the end are searched for it, since data may be long. */
const LONGEST_MARK = 256

/**
 * Adds a mark to an event's data. The writer gets it back by `markOf`; readers don't see it, as `createEvent` takes it out of the data. In a log of the
 * user's own, which doesn't call `createEvent`, readers see it as a member of the data.
 */
export const withMark = (data: unknown, mark: unknown): object => ({ ...Object(data), [KEY]: mark })

/** Takes the mark out of data that has one. */
export function withoutMark(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !(KEY in data)) return data
  const { [KEY]: _, ...rest } = data
  return rest
}

/** The mark that an event was appended with, or `undefined`. */
export function markOf(event: WireEvent): unknown {
  const text = EncodedEvent.markOf(event)
  return text === undefined ? Object(event.data)[KEY] : JSON.parse(text)
}

/**
 * An event that knows its serialised text. The text is a private field: a `WeakMap` with an entry for every event of a log would be slow to search, and slower
 * to collect as garbage.
 */
class EncodedEvent implements WireEvent {
  readonly id: string
  readonly seq: number
  readonly job: string
  readonly type: string
  readonly time: string
  readonly data: unknown
  readonly #text: string
  readonly #mark: string | undefined
  /** The text's length in UTF-8; 0 before it was counted. */
  #bytes = 0

  constructor(id: string, seq: number, job: string, type: string, time: string, json: string) {
    this.id = id
    this.seq = seq
    this.job = job
    this.type = type
    this.time = time
    const at = json.indexOf(MARK, json.length - LONGEST_MARK)
    const shown = at < 0 ? json : `${json.slice(0, json[at - 1] === ',' ? at - 1 : at)}}`
    this.#mark = at < 0 ? undefined : json.slice(at + MARK.length, -1)
    this.data = JSON.parse(shown)
    // Not a template literal: V8 keeps that as a tree of its parts until it is read, which takes twice the memory.
    this.#text = ['{"id":"', id, '","seq":', seq, ',"job":', quoted(job), ',"type":"', type, '","time":"', time, '","data":', shown, '}'].join('')
    Object.freeze(this)
  }

  static textOf(event: WireEvent): string | undefined {
    return #text in event ? event.#text : undefined
  }

  static markOf(event: WireEvent): string | undefined {
    return #mark in event ? event.#mark : undefined
  }

  static bytesOf(event: WireEvent): number | undefined {
    if (!(#text in event)) return undefined
    event.#bytes ||= byteLength(event.#text)
    return event.#bytes
  }
}

/** A job id as JSON. Remembers the last one, since most events follow one of the same job. */
function quoted(job: string): string {
  if (job !== last.job) last = { job, json: JSON.stringify(job) }
  return last.json
}
let last = { job: '', json: '""' }

/** Makes an event whose data is `json`, a single line as `JSON.stringify` writes it. */
export const createEvent = (id: string, seq: number, job: string, type: string, time: string, json: string): WireEvent =>
  new EncodedEvent(id, seq, job, type, time, json)

/** The serialised text of events that weren't made by `createEvent`: those of a user's own log. */
const texts = new WeakMap<WireEvent, string>()

/** The event as one line of JSON. The same object is serialised only once, so that it must not change afterwards. */
export function encodeEvent(event: WireEvent): string {
  let text = EncodedEvent.textOf(event) ?? texts.get(event)
  if (text === undefined) {
    text = JSON.stringify(event)
    texts.set(event, text)
  }
  return text
}

/** The length of `encodeEvent(event)` in UTF-8, in bytes. */
export const bytesOf = (event: WireEvent): number => EncodedEvent.bytesOf(event) ?? byteLength(encodeEvent(event))

/** A frame as one line of JSON. */
export const encodeFrame = (frame: Frame): string => (isControl(frame) ? JSON.stringify(frame) : encodeEvent(frame))
