/**
 * Reads what a server sent. A server is not trusted: every field that is used is checked, unknown fields are left out,
 * unknown controls are passed over (PROTOCOL.md §6), anything else that doesn't fit is a `MalformedFrame`.
 */

import type { Control, Frame, JobSnapshot, Problem, WireEvent } from './frames.ts'
import { isCursor, isEventType, isJobId, isStatus, TAIL } from './rules.ts'

/** Says which field was wrong, what was expected, and how the input begins. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame'
}

type Fields = Record<string, unknown>

const preview = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

const objectFrom = (value: unknown, what: string): Fields => {
  if (!isObject(value)) throw new MalformedFrame(`${what}: expected an object, got ${preview(value)}`)
  return value
}

const isString = (value: unknown): value is string => typeof value === 'string'
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0 // as: isSafeInteger is no type guard
const isEventId = (value: unknown): value is string => isCursor(value) && value !== TAIL
const isPositive = (value: unknown): value is number => isCount(value) && value > 0

/** The field's value if the guard takes it; `undefined` for an absent optional one. */
function field<T>(of: Fields, name: string, guard: (value: unknown) => value is T, expected: string): T {
  const value = of[name]
  if (!guard(value)) throw new MalformedFrame(`${name}: expected ${expected}, got ${preview(value)}, in ${preview(of)}`)
  return value
}

const optional = <T>(of: Fields, name: string, guard: (value: unknown) => value is T, expected: string): { [name: string]: T } =>
  of[name] == null ? {} : { [name]: field(of, name, guard, expected) }

const job = (of: Fields): string => field(of, 'job', isJobId, 'a job id')
const cursor = (of: Fields, name = 'cursor'): string => field(of, name, isEventId, 'an id of 1 to 128 [A-Za-z0-9._:~-] other than tail')
const count = (of: Fields, name: string): number => field(of, name, isCount, 'an integer from 0')
const positive = (of: Fields, name: string): number => field(of, name, isPositive, 'an integer from 1')
const text = (of: Fields, name: string): string => field(of, name, isString, 'a string')

const hello = (of: Fields): Control => ({
  control: 'hello',
  protocol: positive(of, 'protocol'),
  heartbeatMs: positive(of, 'heartbeatMs'),
  ...optional(of, 'mux', isPositive, 'an integer from 1'),
  ...optional(of, 'pollMs', isPositive, 'an integer from 1')
})

const subscribed = (of: Fields, position: string): Control => ({
  control: 'subscribed',
  job: job(of),
  ...optional(of, 'ref', isCount, 'an integer from 0'),
  epoch: text(of, 'epoch'),
  seq: count(of, 'seq'),
  cursor: cursor(of, position),
  status: field(of, 'status', isStatus, 'queued, running, succeeded, failed or cancelled')
})

/** Reads an error's fields: of an `error` control, of a member of `jobs`, or of a problem+json body (whose message is `detail`, else `title`). */
export function parseProblem(value: unknown): Problem {
  const of = objectFrom(value, 'error')
  return {
    status: positive(of, 'status'),
    code: text(of, 'code'),
    message: [of.message, of.detail, of.title].find(isString) ?? '',
    ...optional(of, 'retryAfterMs', isCount, 'milliseconds')
  }
}

function parseEvent(of: Fields): WireEvent {
  return {
    id: cursor(of, 'id'),
    seq: positive(of, 'seq'),
    job: job(of),
    type: field(of, 'type', isEventType, 'an event type of 1 to 64 [A-Za-z0-9._-]'),
    time: text(of, 'time'),
    data: of.data ?? null
  }
}

/** One frame; `undefined` for a control that this version doesn't know. */
export function parseFrame(value: unknown): Frame | undefined {
  const of = objectFrom(value, 'frame')
  if (of.control === undefined) return parseEvent(of)
  switch (of.control) {
    case 'hello':
      return hello(of)
    case 'subscribed':
      return subscribed(of, 'cursor')
    case 'done':
      return { control: 'done', job: job(of), cursor: cursor(of) }
    case 'error':
      return { control: 'error', ...(of.job == null ? {} : { job: job(of) }), ...parseProblem(of) }
    case 'bye':
      return { control: 'bye', reason: text(of, 'reason'), retryMs: count(of, 'retryMs') }
    case 'heartbeat':
    case 'pong':
      return { control: 'heartbeat' }
    default:
      text(of, 'control')
      return undefined
  }
}

/** The frames of one WebSocket message or one event stream's `data`: an object, or an array of them. */
export function parseText(source: string): Frame[] {
  try {
    const value: unknown = JSON.parse(source)
    return (Array.isArray(value) ? value : [value]).map(parseFrame).filter((frame) => frame !== undefined)
  } catch (cause) {
    throw malformed(source, cause)
  }
}

/** A JSON reading as frames: hello, then for each job subscribed, its events, and done or error; with what a poller needs to ask on. */
export interface Answer {
  frames: Frame[]
  more: boolean
  pollMs: number | undefined
  heartbeatMs: number
  /** The next `after` of each job that has neither ended nor failed. */
  cursors: Map<string, string>
}

/** Reads the body of a JSON reading (PROTOCOL.md §3). */
export function parseAnswer(source: string): Answer {
  try {
    const of = objectFrom(JSON.parse(source), 'answer')
    const greeting = hello(of)
    const events = field(of, 'events', Array.isArray, 'an array').map((event) => parseEvent(objectFrom(event, 'event')))
    const heads: Frame[] = []
    const tails: Frame[] = []
    const cursors = new Map<string, string>()
    for (const each of field(of, 'jobs', Array.isArray, 'an array')) {
      const member = objectFrom(each, 'jobs')
      if (member.error != null) tails.push({ control: 'error', job: job(member), ...parseProblem(member.error) })
      else {
        heads.push(subscribed(member, 'from'))
        if (field(member, 'done', isBoolean, 'true or false')) tails.push({ control: 'done', job: job(member), cursor: cursor(member) })
        else cursors.set(job(member), cursor(member))
      }
    }
    return {
      frames: [greeting, ...heads, ...events, ...tails],
      more: of.more === true,
      cursors,
      heartbeatMs: positive(of, 'heartbeatMs'),
      pollMs: of.pollMs == null ? undefined : positive(of, 'pollMs')
    }
  } catch (cause) {
    throw malformed(source, cause)
  }
}

/** Reads the body of `GET {base}/{id}` (PROTOCOL.md §2). */
export function parseSnapshot(source: string): JobSnapshot {
  try {
    const of = objectFrom(JSON.parse(source), 'snapshot')
    return {
      id: field(of, 'id', isJobId, 'a job id'),
      status: field(of, 'status', isStatus, 'a job status'),
      epoch: text(of, 'epoch'),
      seq: count(of, 'seq'),
      cursor: cursor(of),
      ...optional(of, 'progress', isObject, 'an object'),
      ...(of.result === undefined ? {} : { result: of.result }),
      ...(of.error === undefined ? {} : { error: of.error })
    }
  } catch (cause) {
    throw malformed(source, cause)
  }
}

const malformed = (source: string, cause: unknown): MalformedFrame =>
  new MalformedFrame(`${cause instanceof Error ? cause.message : String(cause)} (it begins ${preview(source)})`, { cause })
