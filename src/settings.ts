/** Checks a client's options, and fills in the defaults. */

import { MAX_TIMER_MS } from './async/bounds.ts'
import { JobtailError } from './errors.ts'
import type { ClientOptions, JobOptions, RetryOptions, StartOptions, SubscribeOptions, Transport } from './types.ts'

/** The options of a client of `jobtail/core`: it has no default transports, and `memory` is `false` unless it is given. */
export interface CoreOptions extends ClientOptions {
  /** The transports to use, in order of preference. Their names must differ. */
  transports: readonly Transport[]
}

type Defaulted = 'url' | 'credentials' | 'staggerMs' | 'probeTimeoutMs' | 'firstLook' | 'memory' | 'unknownJobGraceMs' | 'bufferSize' | 'bufferBytes'

/** Options with their defaults filled in. */
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

/** What each option has to be: `matchesRule` parses the text, and error messages quote it. */
type Rules<O> = Readonly<Record<keyof O, string>>

const RETRY_RULES: Rules<RetryOptions> = { baseMs: 'number from 1', maxMs: 'number from 1', attempts: 'number from 1' }
const TRANSPORT = 'object with methods isSupported, open'
const BASE = 'an http: or https: URL without a password, absolute outside of a page'

export const CLIENT_RULES: Rules<ClientOptions> = {
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
  identity: 'string',
  jobStorage: 'false or object with methods update',
  retry: 'Object',
  unknownJobGraceMs: 'number from 0',
  bufferSize: 'number from 1',
  bufferBytes: 'number from 1',
  onDiagnostic: 'function',
  fetch: 'function',
  WebSocket: 'function'
}

export const SUBSCRIBE_RULES: Rules<SubscribeOptions> = { after: 'string', signal: 'AbortSignal', onGap: '"yield" or "throw"' }
export const JOB_RULES: Rules<JobOptions> = { initial: 'object' }
export const START_RULES: Rules<StartOptions> = { ...SUBSCRIBE_RULES, idempotencyKey: 'string' }

/** A value as error messages show it: an object by its class, a list of transports by their names. */
const describe = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((each) => each?.name ?? describe(each))}]`
  return typeof value === 'string' ? JSON.stringify(value) : Object(value) === value ? {}.toString.call(value).slice(8, -1) : String(value)
}

/**
 * Whether a value matches one of the rule's alternatives. An alternative is a literal, a class, a type with the least value of a number, or
 * a type with methods.
 */
const matchesRule = (value: unknown, expected: string): boolean =>
  expected.split(' or ').some((kind) => {
    const [type, ...needs] = kind.split(/ from | with methods |, /)
    return (
      type === describe(value) ||
      (type === typeof value && value !== null && needs.every((need) => (typeof value === 'number' ? value >= +need : Object(value)[need]?.call)))
    )
  })

/**
 * Checks options against their rules. An unknown name throws too: a misspelt option would silently have no effect.
 * @throws JobtailError `bad-request`, with the option's name, what was expected and what came
 */
export function checkOptions(rules: Readonly<Record<string, string>>, options: object, prefix = ''): void {
  if (describe(options) !== 'Object') throw invalid('options', 'Object', options)
  for (const [name, value] of Object.entries(options)) {
    const expected = Object.hasOwn(rules, name) && rules[name]
    if (!expected) throw invalid(`${prefix}option`, `one of ${Object.keys(rules).join(', ')}`, name)
    // The message must not contain a credential: it would end up in a log.
    if (value !== undefined && !matchesRule(value, expected)) throw invalid(prefix + name, expected, /token|headers/.test(name) ? Object(typeof value) : value)
  }
}

/** The error for an invalid argument. */
export const invalid = (what: string, expected: string, got: unknown): JobtailError =>
  new JobtailError('bad-request', `${what}: expected ${expected}, got ${describe(got)}`)

const parse = (url: string | URL, page?: string): URL | undefined => {
  const base = URL.canParse(url, page) ? new URL(url, page) : undefined
  if (!base || !/^https?:$/.test(base.protocol)) return undefined
  // `fetch` refuses a URL with a user name or a password (Fetch §5.4). Those of the page itself are sent by the browser anyway.
  if (base.username + base.password && URL.canParse(url)) return undefined
  base.username = base.password = ''
  return base
}

const invalidBase = (url: string | URL): JobtailError => invalid('url', BASE, `${url}`.replace(/\/\/.*@/, '//…@'))

/** The absolute URL, resolved as `fetch` resolves it; `undefined` where it is invalid, or relative outside of a page. */
export const absolute = (url: string | URL): URL | undefined => parse(url, globalThis.document?.baseURI ?? globalThis.location?.href)

/**
 * `{base}` as an absolute URL.
 * @throws JobtailError `bad-request` where it is none
 */
export function baseOf(url: string | URL): URL {
  const base = absolute(url)
  if (!base) throw invalidBase(url)
  return base
}

/** Drops options that are `undefined`, so that they get their defaults, and limits times to what a timer can wait. */
const given = (options: object = {}): object =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, /Ms$/.test(name) ? Math.min(value, MAX_TIMER_MS) : value])
  )

/**
 * Checks a client's options and fills in the defaults.
 * @throws JobtailError `bad-request`, with the option's name, what was expected and what came
 */
export function settingsOf(options: CoreOptions): Settings {
  const { url = '/jobs', transports, retry = {} } = options
  if (
    !Array.isArray(transports) ||
    new Set(transports.filter((each) => each?.name && matchesRule(each, TRANSPORT)).map(({ name }) => name)).size < transports.length
  )
    throw invalid('transports', 'transports, each with methods isSupported, open and its own name', transports)
  checkOptions(CLIENT_RULES, options)
  checkOptions(RETRY_RULES, retry, 'retry.')
  if (!parse(url, 'http://x')) throw invalidBase(url)
  // as: a default or what was given, of the same type
  return { ...DEFAULTS, ...given(options), retry: { baseMs: 250, maxMs: 30_000, attempts: Infinity, ...given(retry) } } as Settings
}
