/**
 * Reads what a server sent. A server is not trusted: every field that is used is checked, unknown fields are left out,
 * unknown controls are passed over (PROTOCOL.md §6), anything else that doesn't fit fails the path as `protocol`.
 */

import { TransportError } from '../errors.ts'
import type { Control, ErrorControl, Frame, Hello, JobSnapshot, ReadingJob, WireEvent } from './frames.ts'
import { EVENT_ID, EVENT_TYPE, matches, STATUS } from './rules.ts'
import type { Asked } from './urls.ts'

type Fields = Record<string, unknown>
/** What a field must be, in words and as a test; `optional` ones may be absent or null. */
type Rule = readonly [expected: string, fits: (value: unknown) => boolean, optional?: boolean]
type Rules = Readonly<Record<string, Rule>>

const optional = ([expected, fits]: Rule): Rule => [expected, fits, true]
const like = (pattern: RegExp): Rule => [`a string like ${pattern}`, (value) => matches(value, pattern)]
const integer = (least: number): Rule => [`an integer from ${least}`, (value) => Number.isSafeInteger(value) && Number(value) >= least]

const text: Rule = ['a string', (value) => typeof value === 'string']
const count = integer(0)
const positive = integer(1)
const flag: Rule = ['true or false', (value) => typeof value === 'boolean']
const list: Rule = ['an array', Array.isArray]
const object: Rule = ['an object', (value) => typeof value === 'object' && !Array.isArray(value)]
const id = like(EVENT_ID)
// A job that nobody asked for is nobody's: which strings can be job ids matters where one is asked for.
const job = text

const position: Rules = { epoch: text, seq: count, cursor: id, status: like(STATUS) }
const event: Rules = { id, seq: positive, job, type: like(EVENT_TYPE), time: text }
const snapshot: Rules = { id: job, ...position, progress: optional(object) }
const answer: Rules = { jobs: list, events: list, more: optional(flag) }
const member: Rules = { job, ...position, from: id, done: flag }
const controls: ReadonlyMap<unknown, Rules> = new Map(
  Object.entries({
    hello: { protocol: positive, heartbeatMs: positive, mux: optional(positive), pollMs: optional(positive) },
    subscribed: { job, ref: optional(count), ...position },
    done: { job, cursor: id },
    more: { job },
    error: { job: optional(job), status: positive, code: text, message: text, retryAfterMs: optional(count) },
    bye: { reason: text, retryMs: count },
    heartbeat: {},
    pong: {}
  })
)

const preview = (value: unknown): string => {
  const shown = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown
}

/** The fields that there are rules for. Throws where one doesn't keep its rule: says which, what was expected, and in what. */
function pick(value: unknown, rules: Rules): Fields {
  const fields = (value ?? {}) as Fields // as: whatever is not null can be asked for fields
  const picked: Fields = {}
  for (const name in rules) {
    const [expected, fits, isOptional] = rules[name] as Rule // as: `name` is one of its own
    const field = fields[name]
    if (isOptional && field == null) continue
    if (!fits(field)) throw new TransportError('protocol', `${name}: expected ${expected}, got ${preview(field)}, in ${preview(value)}`)
    picked[name] = field
  }
  return picked
}

// as, below: the rules are those of the type

function parseEvent(value: unknown): WireEvent {
  const fields = pick(value, event)
  fields.data = (value as Fields).data ?? null
  return fields as unknown as WireEvent
}

function parseControl(control: unknown, value: unknown): Control | undefined {
  const rules = controls.get(control)
  return rules && ({ control, ...pick(value, rules) } as Control)
}

/** One frame; `undefined` for a control that this version doesn't know. */
export function parseFrame(value: unknown): Frame | undefined {
  const { control } = (value ?? {}) as Fields
  if (control === undefined) return parseEvent(value)
  pick(value, { control: text })
  return parseControl(control, value)
}

/** What is wrong, as the server says it: the fields of an `error` control. */
export const parseError = (value: object): ErrorControl => parseControl('error', value) as ErrorControl

/** A parser of text, whose errors show how the text begins. */
const parser =
  <T>(parse: (value: unknown) => T) =>
  (source: string): T => {
    try {
      return parse(JSON.parse(source))
    } catch (cause) {
      // Without its cause, which quotes the source.
      throw new TransportError('protocol', `${cause instanceof Error && cause.message} (it begins ${preview(source)})`)
    }
  }

/** The frames of one WebSocket message or one event stream's `data`: an object, or an array of them. */
export const parseText: (source: string) => Frame[] = parser((value) => [value].flat().flatMap((each) => parseFrame(each) ?? []))

/** A JSON reading as frames: hello, then for each job subscribed, its events, and done or error; with what a poller needs to ask on. */
export interface Answer {
  hello: Hello
  frames: Frame[]
  more: boolean
  /** The jobs that have neither ended nor failed, each from where the answer leaves it. */
  next: Asked[]
}

/** Reads the body of a JSON reading (PROTOCOL.md §3). */
export const parseAnswer: (source: string) => Answer = parser((value) => {
  const hello = parseControl('hello', value) as Hello
  const { events, jobs, more = false } = pick(value, answer) as { events: unknown[]; jobs: Fields[]; more?: boolean }
  const heads: Frame[] = []
  const tails: Frame[] = []
  const next: Asked[] = []
  for (const each of jobs) {
    if (each.error) {
      tails.push(parseError({ ...each.error, ...pick(each, { job }) }))
      continue
    }
    const { from, done, ...place } = pick(each, member) as Extract<ReadingJob, { done: boolean }>
    heads.push({ control: 'subscribed', ...place, cursor: from })
    if (done) tails.push({ control: 'done', job: place.job, cursor: place.cursor })
    else next.push({ job: place.job, after: place.cursor })
  }
  return { hello, frames: [hello, ...heads, ...events.map(parseEvent), ...tails], more, next }
})

/** Reads the body of `GET {base}/{id}` (PROTOCOL.md §2). */
export const parseSnapshot: (source: string) => JobSnapshot = parser((value) => {
  const { result, error } = value as Fields
  return { ...pick(value, snapshot), result, error } as JobSnapshot
})
