/** Frames as text. An event is serialised once, however many readers it goes to. */

import type { Frame, WireEvent } from '../protocol/frames.ts'
import { isControl } from '../protocol/frames.ts'
import { byteLength } from './platform.ts'

const KEY = 'jobtail:mark'
const MARK = `"${KEY}":`
/** It stands last, and is looked for only there: data may be long. */
const LONGEST_MARK = 256

/** Data with a mark that its writer finds again (`markOf`), and that is in nobody's reading. In a log that makes no events by `createEvent` it is a member of the data. */
export const withMark = (data: unknown, mark: unknown): object => ({ ...Object(data), [KEY]: mark })

/** Data without a mark that stands in it. */
export function withoutMark(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !(KEY in data)) return data
  const { [KEY]: _, ...rest } = data
  return rest
}

/** The mark that an event was appended with. */
export function markOf(event: WireEvent): unknown {
  const text = EncodedEvent.markOf(event)
  return text === undefined ? Object(event.data)[KEY] : JSON.parse(text)
}

/** An event whose text is known. The text is a private field: a `WeakMap` of as many events as a log holds is slow to look into, and slower to collect. */
class EncodedEvent implements WireEvent {
  readonly id: string
  readonly seq: number
  readonly job: string
  readonly type: string
  readonly time: string
  readonly data: unknown
  readonly #text: string
  readonly #mark: string | undefined
  /** In UTF-8; 0: not counted yet. */
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
    // Not a template: that would be a tree of its parts until somebody reads it, twice as large.
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

/** The id of a job as JSON: most events follow one of the same job. */
function quoted(job: string): string {
  if (job !== last.job) last = { job, json: JSON.stringify(job) }
  return last.json
}
let last = { job: '', json: '""' }

/** An event of a log, with its data as the JSON text that it was appended as: that of `JSON.stringify`, a single line. */
export const createEvent = (id: string, seq: number, job: string, type: string, time: string, json: string): WireEvent =>
  new EncodedEvent(id, seq, job, type, time, json)

/** Of events that a log has made by itself. */
const texts = new WeakMap<WireEvent, string>()

/** The event as one line of JSON; the same object is serialised only once, so it must not change any more. */
export function encodeEvent(event: WireEvent): string {
  let text = EncodedEvent.textOf(event) ?? texts.get(event)
  if (text === undefined) {
    text = JSON.stringify(event)
    texts.set(event, text)
  }
  return text
}

/** How many bytes of UTF-8 that is. */
export const bytesOf = (event: WireEvent): number => EncodedEvent.bytesOf(event) ?? byteLength(encodeEvent(event))

/** Any frame as one line of JSON. */
export const encodeFrame = (frame: Frame): string => (isControl(frame) ? JSON.stringify(frame) : encodeEvent(frame))
