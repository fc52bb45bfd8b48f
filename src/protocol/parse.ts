/**
 * Parses what a server sent. A server is not trusted: every field that is used is checked, unknown fields are dropped, and unknown controls
 * are ignored (PROTOCOL.md §6). Anything else that does not fit throws a `TransportError` with reason `protocol`.
 */

import { MAX_TIMER_MS } from '../async/bounds.ts'
import { messageOf, TransportError } from '../errors.ts'
import type { Control, ErrorControl, Frame, Hello, JobSnapshot, ReadingJob, WireEvent } from './frames.ts'
import { EVENT_ID, EVENT_TYPE, matches, STATUS } from './rules.ts'

/** Replaces credentials in a text that is quoted in an error. */
export type Redact = (text: string) => string
const asItIs: Redact = (text) => text
type Fields = Record<string, unknown>
/** What a field must be: in words for the error message, and as a test. */
type Kind = readonly [expected: string, fits: (value: unknown) => boolean]
/** One rule per field. An optional field may be absent or `null`. */
type Rules = readonly { name: string; isOptional: boolean; kind: Kind }[]

const like = (pattern: RegExp): Kind => [`a string like ${pattern}`, (value) => matches(value, pattern)]
const isFrom = (least: number, value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= least
const integer = (least: number): Kind => [`an integer from ${least}`, (value) => isFrom(least, value)]

const KINDS: Readonly<Record<string, Kind>> = {
  text: ['a string', (value) => typeof value === 'string'],
  flag: ['true or false', (value) => typeof value === 'boolean'],
  list: ['an array', Array.isArray],
  count: integer(0),
  positive: integer(1),
  id: like(EVENT_ID),
  type: like(EVENT_TYPE),
  status: like(STATUS)
}

/** Parses rules written as `name:kind name?:kind …`; `?` marks an optional field. */
const rulesOf = (text: string): Rules =>
  text.split(' ').map((each) => {
    const [name = '', kind = ''] = each.split(/\??:/)
    return { name, isOptional: each.includes('?'), kind: KINDS[kind] as Kind } // as: it is one of those above
  })

// `job:text`, not the pattern of a job id: frames of a job that nobody has asked for are dropped later, so its form does not matter here.
const position = ' epoch:text seq:count cursor:id status:status'
const event = rulesOf('id:id seq:positive job:text type:type time:text')
const snapshot = rulesOf(`id:text${position}`)
const answer = rulesOf('jobs:list events:list more?:flag')
const member = rulesOf(`job:text from:id done:flag${position}`)
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

/**
 * The beginning of a text, for an error message. Credentials are redacted before the text is cut, because half a credential would not be
 * recognised.
 */
export const preview = (text: string, redact: Redact): string => redact(text.slice(0, 2000)).slice(0, 160)

/** The value's fields. Throws where a field breaks its rule; the error names the field, what was expected, and what came. */
function checked(value: unknown, rules: Rules): Fields {
  const fields = (value ?? {}) as Fields // as: whatever is not null can be asked for fields
  for (const { name, isOptional, kind } of rules) {
    const field = fields[name]
    if (isOptional && field == null) continue
    if (!kind[1](field)) throw new TransportError('protocol', `${name}: expected ${kind[0]}, got ${JSON.stringify(field) ?? 'nothing'}`)
  }
  return fields
}

/** The value's fields that have a rule, checked. Milliseconds are limited to what a timer can wait. */
function pick(value: unknown, rules: Rules): Fields {
  const fields = checked(value, rules)
  const picked: Fields = {}
  for (const { name } of rules) {
    const field = fields[name]
    if (field != null) picked[name] = name.endsWith('Ms') ? Math.min(Number(field), MAX_TIMER_MS) : field
  }
  return picked
}

// `as` in the functions below: the rules check what the type says.

function parseEvent(value: unknown): WireEvent {
  // There are many events: engines read fields that are named in the code much faster than by the rules, which only word the error. And every event
  // gets the same object shape.
  const { id, seq, job, type, time, data = null } = (value ?? {}) as Fields
  const fits = isFrom(1, seq) && matches(id, EVENT_ID) && typeof job === 'string' && matches(type, EVENT_TYPE) && typeof time === 'string'
  if (!fits) checked(value, event)
  return { id, seq, job, type, time, data } as WireEvent
}

function parseControl(control: string, value: unknown, redact: Redact): Control | undefined {
  const rules = controls.get(control)
  if (!rules) return undefined
  const parsed = { control, ...pick(value, rules) } as Control
  if (parsed.control === 'error') {
    parsed.code = redact(parsed.code)
    parsed.message = redact(parsed.message)
  }
  return parsed
}

/** Parses one frame. Returns `undefined` for a control that this version does not know. */
export function parseFrame(value: unknown, redact: Redact = asItIs): Frame | undefined {
  const { control } = (value ?? {}) as Fields
  return typeof control === 'string' ? parseControl(control, value, redact) : parseEvent(value)
}

/** Parses the server's description of an error into an `error` control. */
export const parseError = (value: object, redact: Redact = asItIs): ErrorControl => parseControl('error', value, redact) as ErrorControl

/** Makes a parser of text. Its errors quote how the text begins. */
const parser =
  <T>(parse: (value: unknown, redact: Redact) => T) =>
  (source: string, redact: Redact = asItIs): T => {
    try {
      return parse(JSON.parse(source), redact)
    } catch (cause) {
      // The error gets no `cause`, and not the engine's own message about the JSON: both quote the text with its credentials.
      const message = cause instanceof SyntaxError ? 'expected JSON' : messageOf(cause)
      throw new TransportError('protocol', `${preview(message, redact)} (it begins ${preview(`${source}`, redact)})`)
    }
  }

/** Parses one WebSocket message, one line of NDJSON, or the `data` of one server-sent event: a frame, or an array of frames. */
export const parseText: (source: string, redact?: Redact) => Frame[] = parser((value, redact) => {
  const frames: Frame[] = []
  for (const each of Array.isArray(value) ? value : [value]) {
    const frame = parseFrame(each, redact)
    if (frame) frames.push(frame)
  }
  return frames
})

/**
 * Parses the body of a JSON reading (PROTOCOL.md §3) into frames in the order of an NDJSON reading: `hello`, each job's `subscribed`, the
 * events, each job's `done` or `error`, then `end`.
 */
export const parseAnswer: (source: string, redact?: Redact) => Frame[] = parser((value, redact) => {
  const hello = parseControl('hello', value, redact) as Hello
  const { events, jobs, more = false } = pick(value, answer) as { events: unknown[]; jobs: Fields[]; more?: boolean }
  const heads: Frame[] = [hello]
  const tails: Frame[] = []
  for (const { error, ...each } of jobs) {
    if (error) {
      tails.push(parseError({ ...error, job: each.job ?? 0 }, redact)) // 0: a member without a job is malformed
      continue
    }
    const { from, done, ...place } = pick(each, member) as Extract<ReadingJob, { done: boolean }>
    heads.push({ control: 'subscribed', ...place, cursor: from })
    if (done) tails.push({ control: 'done', job: place.job, cursor: place.cursor })
  }
  return [...heads, ...events.map(parseEvent), ...tails, { control: 'end', more }]
})

/** Checks a snapshot. */
export function snapshotOf(value: unknown): JobSnapshot {
  const { result, error, progress } = (value ?? {}) as Fields
  return { ...pick(value, snapshot), result, error, progress } as JobSnapshot
}

/** Parses the body of `GET {base}/{id}` (PROTOCOL.md §2). */
export const parseSnapshot: (source: string, redact?: Redact) => JobSnapshot = parser(snapshotOf)
