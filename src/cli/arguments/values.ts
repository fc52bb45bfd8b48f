/** What each argument has to be. Neither a token, nor a header, nor a password in a URL is quoted. */

import { MAX_TIMER_MS } from '../../async/bounds.ts'
import { BEARER_TOKEN, isCursor, isJobId } from '../../protocol/rules.ts'
import { clauses } from '../check/index.ts'
import { UsageError } from '../exit-codes.ts'

/** A job, by the URL below which jobs are and its id. */
export interface JobPlace {
  base: URL
  job: string
}

/** Without a scheme it is http:, as for curl. */
export function urlFrom(text: string): URL {
  const whole = text.includes('://') ? text : `http://${text.replace(/^\/\//, '')}`
  const url = URL.canParse(whole) ? new URL(whole) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError(`expected an http: or https: URL, got ${withoutSecrets(text)}`)
  if (url.username || url.password) throw new UsageError("expected a URL without a user's name and password: --header 'authorization: Basic …' sends them")
  url.hash = ''
  return url
}

const withoutSecrets = (text: string): string => text.replace(/^(\w+:\/\/)?[^/]*@/, '$1…@').replace(/\?.*/s, '?…')

/** A job's URL, or that of its events, as `{base}` and the job's id. */
export function placeOf(url: URL): JobPlace {
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
  } catch {} // a malformed percent-encoding, which is no job's URL either
  throw new UsageError(`expected the URL of a job, {base}/{id}, got ${withoutSecrets(url.href)}`)
}

export function tokenFrom(token: string, from: string): string {
  if (!BEARER_TOKEN.test(token)) throw new UsageError(`${from}: expected a token that a header can carry, without spaces`)
  return token
}

export function headersFrom(lines: readonly string[]): Record<string, string> {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
    } catch {
      throw new UsageError(`--header: expected 'name: value', in the characters that a header may have`)
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

/** What a header can carry without being changed on the way. */
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
  if (unknown !== undefined) throw new UsageError(`--skip: expected a clause, such as ${clauses[0]?.id}; got ${unknown}. A check lists them all`)
  return ids
}

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** 90, 90s, 1.5m, 2h. */
export function msFrom(option: string, text: string | undefined, maxMs: number = MAX_TIMER_MS): number | undefined {
  if (text === undefined) return undefined
  const [, digits = '', unit = 's'] = /^(\d+\.?\d*|\.\d+)([smh])?$/.exec(text) ?? []
  const ms = Number(digits || Number.NaN) * UNITS_MS[unit as keyof typeof UNITS_MS] // as: the pattern has no others
  if (ms > 0 && ms <= maxMs) return ms
  throw new UsageError(`${option}: expected seconds, or a number with s, m or h, up to ${Math.floor(maxMs / 1000)} s, got ${text}`)
}
