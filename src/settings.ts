/** A client's options: checked once, when it is made, and with their defaults. */

import { MAX_TIMER_MS } from './async/bounds.ts'
import { JobtailError } from './errors.ts'
import type { ClientOptions, RetryOptions, StartOptions, SubscribeOptions, Transport } from './types.ts'

/** The options of a client that brings no defaults of its own for what is large. */
export interface CoreOptions extends ClientOptions {
  transports: readonly Transport[]
}

type Defaulted = 'url' | 'credentials' | 'staggerMs' | 'probeTimeoutMs' | 'firstLook' | 'memory' | 'unknownJobGraceMs' | 'bufferSize' | 'bufferBytes'

export type Settings = Omit<CoreOptions, Defaulted | 'retry'> & { [Name in Defaulted]-?: NonNullable<ClientOptions[Name]> } & { retry: Required<RetryOptions> }

const DEFAULTS: Pick<Settings, Defaulted> = {
  url: '/jobs',
  credentials: 'same-origin',
  staggerMs: 250,
  probeTimeoutMs: 5000,
  firstLook: true,
  memory: false,
  unknownJobGraceMs: 5000,
  bufferSize: 100_000,
  bufferBytes: 2 ** 22
}

/** What each option has to be, as `fits` reads it and as an error says it. */
type Rules<O> = Readonly<Record<keyof O, string>>

const RETRY: Rules<RetryOptions> = { baseMs: 'number from 1', maxMs: 'number from 1', attempts: 'number from 1' }
const TRANSPORT = 'object with methods isSupported, open'
const BASE = 'an http: or https: URL, absolute outside of a page'

export const CLIENT: Rules<ClientOptions> = {
  url: 'string or URL',
  transports: 'object',
  backend: 'object',
  share: 'function',
  token: 'string or function',
  headers: 'object or function',
  credentials: '"omit" or "same-origin" or "include"',
  staggerMs: 'number from 0',
  probeTimeoutMs: 'number from 1',
  firstLook: 'boolean',
  memory: 'false or object with methods read, write',
  retry: 'object',
  unknownJobGraceMs: 'number from 0',
  bufferSize: 'number from 1',
  bufferBytes: 'number from 1',
  onDiagnostic: 'function',
  fetch: 'function',
  WebSocket: 'function'
}

export const SUBSCRIBE: Rules<SubscribeOptions> = { after: 'string', signal: 'AbortSignal', onGap: '"yield" or "throw"' }
export const START: Rules<StartOptions> = { ...SUBSCRIBE, idempotencyKey: 'string' }

/** A value as an error shows it: objects by their class, transports by their names. */
const show = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((each) => each?.name ?? show(each))}]`
  return typeof value === 'string' ? JSON.stringify(value) : Object(value) === value ? {}.toString.call(value).slice(8, -1) : String(value)
}

/** Whether a value is one of the alternatives: a literal, a class, or a type with the least that a number may be, or methods. */
const fits = (value: unknown, expected: string): boolean =>
  expected.split(' or ').some((kind) => {
    const [type, ...needs] = kind.split(/ from | with methods |, /)
    return type === show(value) || (type === typeof value && value !== null && needs.every((need) => Number(value) >= +need || Object(value)[need]?.call))
  })

/** Throws where an option isn't what it has to be, and for a name that is none: a misspelt option would count for nothing. */
export function check(rules: Readonly<Record<string, string>>, options: object, prefix = ''): void {
  for (const [name, value] of Object.entries(options)) {
    const expected = Object.hasOwn(rules, name) && rules[name]
    if (!expected) throw refused(`${prefix}option`, `one of ${Object.keys(rules).join(', ')}`, name)
    // The value of a credential would end up in a log.
    if (value !== undefined && !fits(value, expected)) throw refused(prefix + name, expected, /token|headers/.test(name) ? Object(typeof value) : value)
  }
}

export const refused = (what: string, expected: string, got: unknown): JobtailError =>
  new JobtailError('bad-request', `${what}: expected ${expected}, got ${show(got)}`)

const parse = (url: string | URL, page?: string): URL | undefined => {
  const base = URL.canParse(url, page) ? new URL(url, page) : undefined
  return base && /^https?:$/.test(base.protocol) ? base : undefined
}

/** Absolute, against what `fetch` resolves it against too; undefined where there is no page. */
export const absolute = (url: string | URL): URL | undefined => parse(url, globalThis.document?.baseURI ?? globalThis.location?.href)

/** `{base}` as an absolute URL. */
export function baseOf(url: string | URL): URL {
  const base = absolute(url)
  if (!base) throw refused('url', BASE, `${url}`)
  return base
}

/** What is given: an option that is `undefined` has its default as well, and no time is longer than a timer's. */
const given = (options: object = {}): object =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, /Ms$/.test(name) ? Math.min(value, MAX_TIMER_MS) : value])
  )

/** @throws JobtailError `bad-request`, with the option's name, what was expected and what came. */
export function settingsOf(options: CoreOptions): Settings {
  const { url = '/jobs', transports, retry = {} } = options
  if (
    !Array.isArray(transports) ||
    transports.some((each) => !each?.name || !fits(each, TRANSPORT)) ||
    new Set(transports.map(({ name }) => name)).size < transports.length
  )
    throw refused('transports', 'a list of transports with methods isSupported, open and each a name of its own', transports)
  check(CLIENT, options)
  check(RETRY, retry, 'retry.')
  if (!parse(url, 'http://x')) throw refused('url', BASE, url)
  // as: a default or what was given, of the same type
  return { ...DEFAULTS, ...given(options), retry: { baseMs: 250, maxMs: 30_000, attempts: Infinity, ...given(retry) } } as Settings
}
