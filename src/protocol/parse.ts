/**
 * Reads what a server sent. A server is not trusted: every field that is used is checked, unknown fields are left out,
 * unknown controls are passed over (PROTOCOL.md §6), anything else that doesn't fit fails the path as `protocol`.
 */

import { MAX_TIMER_MS } from '../async/bounds.ts'
import { messageOf, TransportError } from '../errors.ts'
import type { Control, ErrorControl, Frame, Hello, JobSnapshot, ReadingJob, WireEvent } from './frames.ts'
import { EVENT_ID, EVENT_TYPE, matches, STATUS } from './rules.ts'
import type { Asked } from './urls.ts'

/** Leaves credentials out of what is quoted. */
export type Redact = (text: string) => string
type Fields = Record<string, unknown>
/** What a field must be, in words and as a test. */
type Rule = readonly [expected: string, fits: (value: unknown) => boolean]
/** Which field; what is optional may be absent or null, and of milliseconds there are no more than a timer can wait. */
type Rules = readonly { name: string; rule: Rule; isOptional: boolean; isMs: boolean }[]

const like = (pattern: RegExp): Rule => [`a string like ${pattern}`, (value) => matches(value, pattern)]
const integer = (least: number): Rule => [`an integer from ${least}`, (value) => Number.isSafeInteger(value) && Number(value) >= least]

const KINDS: Readonly<Record<string, Rule>> = {
  text: ['a string', (value) => typeof value === 'string'],
  flag: ['true or false', (value) => typeof value === 'boolean'],
  list: ['an array', Array.isArray],
  count: integer(0),
  positive: integer(1),
  id: like(EVENT_ID),
  type: like(EVENT_TYPE),
  status: like(STATUS)
}

/** `name:kind name?:kind …` */
const rulesOf = (text: string): Rules =>
  text.split(' ').map((each) => {
    const [name = '', kind = ''] = each.split(':')
    return { name: name.replace('?', ''), rule: KINDS[kind] as Rule, isOptional: name.endsWith('?'), isMs: /Ms/.test(name) } // as: it is one of those above
  })

// A job that nobody asked for is nobody's: which strings can be job ids matters where one is asked for.
const position = ' epoch:text seq:count cursor:id status:status'
const event = rulesOf('id:id seq:positive job:text type:type time:text')
const snapshot = rulesOf(`id:text${position}`)
const answer = rulesOf('jobs:list events:list more?:flag')
const failedMember = rulesOf('job:text')
const member = rulesOf(`job:text from:id done:flag${position}`)
const named = rulesOf('control:text')
const controls: ReadonlyMap<unknown, Rules> = new Map([
  ['hello', rulesOf('protocol:positive heartbeatMs:positive mux?:positive pollMs?:positive')],
  ['subscribed', rulesOf(`job:text ref?:count${position}`)],
  ['done', rulesOf('job:text cursor:id')],
  ['error', rulesOf('job?:text status:positive code:text message:text retryAfterMs?:count')],
  ['bye', rulesOf('reason:text retryMs:count')],
  ['end', rulesOf('more:flag')],
  ['heartbeat', []],
  ['pong', []]
])

/** How it begins; what is to be left out is left out first, since half a credential would not be known for one. */
const preview = (text: string, redact: Redact): string => {
  const shown = redact(text.slice(0, 2000))
  return shown.length > 160 ? `${shown.slice(0, 160)}…` : shown
}

/** Its fields. Throws where one doesn't keep its rule: says which, what was expected, and what came. */
function checked(value: unknown, rules: Rules): Fields {
  const fields = (value ?? {}) as Fields // as: whatever is not null can be asked for fields
  for (const { name, rule, isOptional } of rules) {
    const field = fields[name]
    if (isOptional && field == null) continue
    if (!rule[1](field)) throw new TransportError('protocol', `${name}: expected ${rule[0]}, got ${JSON.stringify(field) ?? 'nothing'}`)
  }
  return fields
}

/** The fields that there are rules for. */
function pick(value: unknown, rules: Rules): Fields {
  const fields = checked(value, rules)
  const picked: Fields = {}
  for (const { name, isMs } of rules) {
    const field = fields[name]
    if (field != null) picked[name] = isMs ? Math.min(Number(field), MAX_TIMER_MS) : field
  }
  return picked
}

// as, below: the rules are those of the type

function parseEvent(value: unknown): WireEvent {
  // One shape for all events: they are many.
  const { id, seq, job, type, time, data = null } = checked(value, event)
  return { id, seq, job, type, time, data } as WireEvent
}

function parseControl(control: unknown, value: unknown): Control | undefined {
  const rules = controls.get(control)
  return rules && ({ control, ...pick(value, rules) } as Control)
}

/** One frame; `undefined` for a control that this version doesn't know. */
export function parseFrame(value: unknown): Frame | undefined {
  const { control } = (value ?? {}) as Fields
  if (control === undefined) return parseEvent(value)
  pick(value, named)
  return parseControl(control, value)
}

/** What is wrong, as the server says it: the fields of an `error` control. */
export const parseError = (value: object): ErrorControl => parseControl('error', value) as ErrorControl

/** A parser of text, whose errors show how the text begins. */
const parser =
  <T>(parse: (value: unknown) => T) =>
  (source: string, redact: Redact = (text) => text): T => {
    try {
      return parse(JSON.parse(source))
    } catch (cause) {
      // Without the cause, and without what the engine has to say of JSON: both quote the source.
      const message = cause instanceof SyntaxError ? 'expected JSON' : messageOf(cause)
      throw new TransportError('protocol', `${preview(message, redact)} (it begins ${preview(`${source}`, redact)})`)
    }
  }

/** The frames of one WebSocket message, one line of NDJSON or one event stream's `data`: an object, or an array of them. */
export const parseText: (source: string, redact?: Redact) => Frame[] = parser((value) => {
  const frames: Frame[] = []
  for (const each of Array.isArray(value) ? value : [value]) {
    const frame = parseFrame(each)
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
export const parseAnswer: (source: string, redact?: Redact) => Answer = parser((value) => {
  const hello = parseControl('hello', value) as Hello
  const { events, jobs, more = false } = pick(value, answer) as { events: unknown[]; jobs: Fields[]; more?: boolean }
  const heads: Frame[] = []
  const tails: Frame[] = []
  const next: Asked[] = []
  for (const each of jobs) {
    if (each.error) {
      tails.push(parseError({ ...each.error, ...pick(each, failedMember) }))
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
export const parseSnapshot: (source: string, redact?: Redact) => JobSnapshot = parser((value) => {
  const { result, error, progress } = value as Fields
  return { ...pick(value, snapshot), result, error, progress } as JobSnapshot
})
