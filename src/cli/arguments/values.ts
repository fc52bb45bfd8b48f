/** Checks the values of arguments. Error messages never quote a token, a header, or a password in a URL. */

import { MAX_TIMER_MS } from '../../async/bounds.ts'
import { BEARER_TOKEN, isCursor, isJobId } from '../../protocol/rules.ts'
import { clauses } from '../check/index.ts'
import { UsageError } from '../exit-codes.ts'

/** A job's URL, taken apart into `{base}` and the job's id. */
export interface JobAddress {
  base: URL
  job: string
}

/** Parses a URL. Without a scheme it is `http:`, as with curl. */
export function urlFrom(text: string): URL {
  const whole = text.includes('://') ? text : `http://${text.replace(/^\/\//, '')}`
  const url = URL.canParse(whole) ? new URL(whole) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError(`expected an http: or https: URL, got ${withoutSecrets(text)}`)
  if (url.username || url.password) throw new UsageError("expected a URL without user name and password; send them with --header 'authorization: Basic …'")
  url.hash = ''
  return url
}

const withoutSecrets = (text: string): string => text.replace(/^(\w+:\/\/)?[^/]*@/, '$1…@').replace(/\?.*/s, '?…')

/** Takes a job's URL, or the URL of its events, apart. */
export function jobAddressOf(url: URL): JobAddress {
  const segments = url.pathname
    .replace(/\/+$/, '')
    .replace(/\/events$/, '')
    .replace(/\/+$/, '')
    .split('/')
  const base = new URL(url)
  try {
    const job = decodeURIComponent(segments.pop() ?? '')
    base.pathname = segments.join('/')
    if (isJobId(job)) return { base, job }
  } catch {} // a malformed percent-encoding: not the URL of a job
  throw new UsageError(`expected the URL of a job, {base}/{id}, got ${withoutSecrets(url.href)}`)
}

/** Takes the URL of another server's job apart. With an id the URL is the base; without, its last segment is the id. */
export function foreignAddressOf(url: URL, id: string | undefined): JobAddress {
  const base = new URL(url)
  if (id !== undefined) return { base, job: id }
  const segments = url.pathname.replace(/\/+$/, '').split('/')
  try {
    const job = decodeURIComponent(segments.pop() ?? '')
    base.pathname = segments.join('/')
    if (job) return { base, job }
  } catch {} // a malformed percent-encoding
  throw new UsageError(`expected the URL of a job, {base}/{id}, or --id, got ${withoutSecrets(url.href)}`)
}

export function tokenFrom(token: string, from: string): string {
  if (!BEARER_TOKEN.test(token)) throw new UsageError(`${from}: expected a token of characters that a header can carry, without spaces`)
  return token
}

export function headersFrom(lines: readonly string[]): Record<string, string> {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
    } catch {
      throw new UsageError(`--header: expected 'name: value' in characters that a header can carry`)
    }
  }
  return Object.fromEntries(headers)
}

export function choiceFrom<C extends string>(option: string, choices: readonly C[], text: string): C {
  const found = choices.find((each) => each === text)
  if (found === undefined) throw new UsageError(`${option}: expected one of ${choices.join(', ')}, got ${text}`)
  return found
}

export function idFrom(option: string, id: string | undefined): string | undefined {
  if (id !== undefined && !isJobId(id)) throw new UsageError(`${option}: expected a job's id, got ${id}`)
  return id
}

export function cursorFrom(after: string | undefined): string | undefined {
  if (after !== undefined && !isCursor(after)) throw new UsageError(`--after: expected an event's id or "tail", got ${after}`)
  return after
}

/** Checks an `Idempotency-Key`. Spaces at its ends are refused, since HTTP strips them. */
export function keyFrom(key: string | undefined): string | undefined {
  if (key !== undefined && !/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(key))
    throw new UsageError(`--idempotency-key: expected visible ASCII characters, got ${JSON.stringify(key)}`)
  return key
}

export function originFrom(text: string | undefined): string | undefined {
  if (text !== undefined && !(URL.canParse(text) && new URL(text).origin === text))
    throw new UsageError(`--origin: expected an origin such as https://app.example.com, got ${text}`)
  return text
}

export function jsonFrom(option: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${option}: expected JSON, got ${text.trim() === '' ? 'nothing' : text.length > 200 ? `${text.slice(0, 200)}…` : text}`)
  }
}

export function clausesFrom(ids: readonly string[] = []): readonly string[] {
  const unknown = ids.find((id) => !clauses.some((clause) => clause.id === id))
  if (unknown !== undefined) throw new UsageError(`--skip: expected the id of a clause, such as ${clauses[0]?.id}, got ${unknown}; a check prints all ids`)
  return ids
}

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** Parses a duration such as 90, 90s, 1.5m or 2h. */
export function msFrom(option: string, text: string | undefined, maxMs: number = MAX_TIMER_MS): number | undefined {
  if (text === undefined) return undefined
  const [, digits = '', unit = 's'] = /^(\d+\.?\d*|\.\d+)([smh])?$/.exec(text) ?? []
  const ms = Number(digits || Number.NaN) * UNITS_MS[unit as keyof typeof UNITS_MS] // as: the pattern allows only these units
  if (ms > 0 && ms <= maxMs) return ms
  throw new UsageError(`${option}: expected a number of seconds, or a number with s, m or h, of at most ${Math.floor(maxMs / 1000)} s, got ${text}`)
}
