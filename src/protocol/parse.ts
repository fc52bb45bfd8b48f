/**
 * Reads what a server sent. A server is not trusted: every field that is used is checked, unknown fields are left out,
 * unknown controls are passed over (PROTOCOL.md §6), anything else that doesn't fit fails the path as `protocol`.
 */

import { messageOf, TransportError } from '../errors.ts'
import type { Control, ErrorControl, Frame, Hello, JobSnapshot, ReadingJob, WireEvent } from './frames.ts'
import { EVENT_ID, EVENT_TYPE, MAX_TIMER_MS, matches, STATUS } from './rules.ts'
import type { Asked } from './urls.ts'

/** Leaves credentials out of what is quoted. */
export type Redact = (text: string) => string
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
const id = like(EVENT_ID)
// A job that nobody asked for is nobody's: which strings can be job ids matters where one is asked for.
const job = text

const position: Rules = { epoch: text, seq: count, cursor: id, status: like(STATUS) }
const event: Rules = { id, seq: positive, job, type: like(EVENT_TYPE), time: text }
const snapshot: Rules = { id: job, ...position }
const answer: Rules = { jobs: list, events: list, more: optional(flag) }
const member: Rules = { job, ...position, from: id, done: flag }
const controls: ReadonlyMap<unknown, Rules> = new Map(
  Object.entries({
    hello: { protocol: positive, heartbeatMs: positive, mux: optional(positive), pollMs: optional(positive) },
    subscribed: { job, ref: optional(count), ...position },
    done: { job, cursor: id },
    error: { job: optional(job), status: positive, code: text, message: text, retryAfterMs: optional(count) },
    bye: { reason: text, retryMs: count },
    end: { more: flag },
    heartbeat: {},
    pong: {}
  })
)

const asItIs: Redact = (text) => text

/** How it begins. What is left out is left out first: half a credential would not be known for one. */
function preview(value: unknown, redact: Redact): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const shown = redact(text.slice(0, 2000))
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown
}

/** The fields that there are rules for; milliseconds no longer than a timer can wait. Throws where one doesn't keep its rule: says which, what was expected, and in what. */
function pick(value: unknown, rules: Rules, redact: Redact): Fields {
  const fields = (value ?? {}) as Fields // as: whatever is not null can be asked for fields
  const picked: Fields = {}
  for (const name in rules) {
    const [expected, fits, isOptional] = rules[name] as Rule // as: `name` is one of its own
    const field = fields[name]
    if (isOptional && field == null) continue
    if (!fits(field)) throw new TransportError('protocol', `${name}: expected ${expected}, got ${preview(field, redact)}, in ${preview(value, redact)}`)
    picked[name] = name.endsWith('Ms') ? Math.min(Number(field), MAX_TIMER_MS) : field
  }
  return picked
}

/** `progress` with a ratio wherever one can be known: a bare number up to 1 is one, a larger one a percentage. */
function progressOf(data: unknown): unknown {
  if (typeof data === 'number') return { ratio: ratioOf(data, data > 1 ? 100 : 1) }
  const { ratio, current, total } = (data ?? {}) as Fields // as: whatever is not null can be asked for fields
  if (typeof ratio !== 'number' && typeof current === 'number' && typeof total === 'number' && total > 0) (data as Fields).ratio = ratioOf(current, total) // as: it has fields
  return data
}

const ratioOf = (part: number, whole: number): number => Math.min(1, Math.max(0, part / whole))

// as, below: the rules are those of the type

function parseEvent(value: unknown, redact: Redact): WireEvent {
  const fields = pick(value, event, redact)
  const { data = null } = value as Fields
  fields.data = fields.type === 'progress' ? progressOf(data) : data
  return fields as unknown as WireEvent
}

function parseControl(control: unknown, value: unknown, redact: Redact): Control | undefined {
  const rules = controls.get(control)
  if (!rules) return
  const fields = { control, ...pick(value, rules, redact) } as Control
  if (fields.control === 'error') {
    fields.code = redact(fields.code)
    fields.message = redact(fields.message)
  }
  return fields
}

/** One frame; `undefined` for a control that this version doesn't know. */
export function parseFrame(value: unknown, redact: Redact = asItIs): Frame | undefined {
  const { control } = (value ?? {}) as Fields
  if (control === undefined) return parseEvent(value, redact)
  pick(value, { control: text }, redact)
  return parseControl(control, value, redact)
}

/** What is wrong, as the server says it: the fields of an `error` control. */
export const parseError = (value: object, redact: Redact = asItIs): ErrorControl => parseControl('error', value, redact) as ErrorControl

/** A parser of text, whose errors show how the text begins. */
const parser =
  <T>(parse: (value: unknown, redact: Redact) => T) =>
  (source: string, redact: Redact = asItIs): T => {
    try {
      return parse(JSON.parse(source), redact)
    } catch (cause) {
      // Without the cause, and without what the engine has to say of JSON: both quote the source.
      throw new TransportError('protocol', `${cause instanceof SyntaxError ? 'expected JSON' : messageOf(cause)} (it begins ${preview(`${source}`, redact)})`)
    }
  }

/** The frames of one WebSocket message, one line of NDJSON or one event stream's `data`: an object, or an array of them. */
export const parseText: (source: string, redact?: Redact) => Frame[] = parser((value, redact) => {
  const frames: Frame[] = []
  for (const each of Array.isArray(value) ? value : [value]) {
    const frame = parseFrame(each, redact)
    if (frame) frames.push(frame)
  }
  return frames
})

/** A JSON reading as frames: hello, then for each job subscribed, its events, and done or error; with what a poller needs to ask on. */
export interface Answer {
  hello: Hello
  frames: Frame[]
  more: boolean
  /** The jobs that have neither ended nor failed, each from where the answer leaves it. */
  next: Asked[]
}

/** Reads the body of a JSON reading (PROTOCOL.md §3). */
export const parseAnswer: (source: string, redact?: Redact) => Answer = parser((value, redact) => {
  const hello = parseControl('hello', value, redact) as Hello
  const { events, jobs, more = false } = pick(value, answer, redact) as { events: unknown[]; jobs: Fields[]; more?: boolean }
  const heads: Frame[] = []
  const tails: Frame[] = []
  const next: Asked[] = []
  for (const each of jobs) {
    if (each.error) {
      tails.push(parseError({ ...each.error, ...pick(each, { job }, redact) }, redact))
      continue
    }
    const { from, done, ...place } = pick(each, member, redact) as Extract<ReadingJob, { done: boolean }>
    heads.push({ control: 'subscribed', ...place, cursor: from })
    if (done) tails.push({ control: 'done', job: place.job, cursor: place.cursor })
    else next.push({ job: place.job, after: place.cursor })
  }
  return { hello, frames: [hello, ...heads, ...events.map((each) => parseEvent(each, redact)), ...tails], more, next }
})

/** Reads the body of `GET {base}/{id}` (PROTOCOL.md §2). */
export const parseSnapshot: (source: string, redact?: Redact) => JobSnapshot = parser((value, redact) => {
  const { result, error, progress } = value as Fields
  const fields = { ...pick(value, snapshot, redact), result, error } as JobSnapshot
  const known = progressOf(progress)
  // A job is not to be refused for what somebody published as its progress.
  if (known instanceof Object && !Array.isArray(known)) fields.progress = known
  return fields
})
