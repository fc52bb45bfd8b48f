import { show } from './log/entry.ts'
import type { JobServerOptions, Settings } from './types.ts'

/** An option's value, in words and as a question. */
type Rule = readonly [expected: string, isRight: (value: unknown) => boolean]

const LONGEST_INTERVAL_MS = 2 ** 31 - 1

const isFunction = (value: unknown): boolean => typeof value === 'function'
const isNumber = (value: unknown, to = Number.POSITIVE_INFINITY): boolean => typeof value === 'number' && value >= 1 && value <= to
const isPath = (value: unknown): boolean => value === '' || (typeof value === 'string' && URL.parse(value, 'http://x')?.pathname === value)
/** As a browser writes it in the header: what else a URL may have would never be met. */
const isOrigin = (value: unknown): boolean => typeof value === 'string' && /^(null|[a-z][a-z\d+.-]*:\/\/[^/?#*A-Z\s]+)$/.test(value)
const isLog = (value: unknown): boolean => ['append', 'read', 'snapshot', 'watch', 'renew', 'reset', 'close'].every((name) => isFunction(Object(value)[name]))

const AMOUNT: Rule = ['a number from 1', (value) => isNumber(value)]
const INTERVAL: Rule = [`a number from 1 to ${LONGEST_INTERVAL_MS}`, (value) => isNumber(value, LONGEST_INTERVAL_MS)]
const FUNCTION: Rule = ['a function', isFunction]

const RULES: Record<keyof JobServerOptions, Rule> = {
  basePath: ['a path that begins with "/", as URLs write it', isPath],
  log: ['an EventLog, such as memoryLog()', isLog],
  start: FUNCTION,
  authorize: FUNCTION,
  origins: [
    '"*", a function, or a list of origins such as "https://app.example"',
    (value) => value === '*' || isFunction(value) || (Array.isArray(value) && value.every(isOrigin))
  ],
  allowCredentials: ['true or false', (value) => typeof value === 'boolean'],
  heartbeatMs: INTERVAL,
  pollMs: INTERVAL,
  mux: ['an integer from 1', (value) => isNumber(value) && Number.isSafeInteger(value)],
  maxConnections: AMOUNT,
  maxConnectionsPerAddress: AMOUNT,
  maxBufferedBytes: AMOUNT,
  maxBodyBytes: AMOUNT,
  bodyTimeoutMs: AMOUNT,
  maxConnectionAgeMs: AMOUNT,
  leaseMs: [`a number from 100 to ${LONGEST_INTERVAL_MS}`, (value) => isNumber(value, LONGEST_INTERVAL_MS) && Number(value) >= 100],
  maxRunning: AMOUNT,
  maxRunningPerSubject: AMOUNT,
  maxQueued: ['a number from 0', (value) => value === 0 || isNumber(value)],
  timeoutMs: AMOUNT,
  maxEventBytes: AMOUNT,
  exposeErrors: ['true or false', (value) => typeof value === 'boolean'],
  onError: FUNCTION
}

/** Throws for a value that would do harm later, and for a name that is none: a misspelt `authorize` would let everybody in. */
export function checkOptions(options: JobServerOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(RULES, name)) throw new TypeError(`createJobServer: there is no option "${name}", expected ${Object.keys(RULES).join(', ')}`)
    const [expected, isRight] = RULES[name as keyof JobServerOptions] // as: see above
    if (value !== undefined && !isRight(value)) throw new RangeError(`${name}: expected ${expected}, got ${show(value)}`)
  }
  if (options.origins === '*' && options.allowCredentials)
    throw new RangeError('origins: "*" with allowCredentials would let every page act as its visitor; name the origins')
}

/** The options with their defaults in place, but for the log. */
export function settingsFrom(options: JobServerOptions): Omit<Settings, 'log'> {
  return {
    authorize: () => true,
    origins: [],
    allowCredentials: false,
    heartbeatMs: 15_000,
    pollMs: 2000,
    mux: 128,
    maxConnections: 10_000,
    maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
    maxBufferedBytes: 2 ** 20,
    maxBodyBytes: 2 ** 20,
    bodyTimeoutMs: 30_000,
    maxConnectionAgeMs: Number.POSITIVE_INFINITY,
    leaseMs: 30_000,
    maxRunning: 100,
    maxRunningPerSubject: Number.POSITIVE_INFINITY,
    maxQueued: 10_000,
    timeoutMs: Number.POSITIVE_INFINITY,
    maxEventBytes: 2 ** 24,
    exposeErrors: false,
    onError: (error, { jobId } = {}) => console.error('jobtail:', ...(jobId === undefined ? [] : [`job ${JSON.stringify(jobId)}:`]), error),
    // An option that is given as `undefined` has its default as well.
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    basePath: (options.basePath ?? '/jobs').replace(/\/+$/, '')
  }
}

/** A logger that fails, also later, is no reason to leave a request without an answer, or to end the process. */
export const unfailing =
  (onError: Settings['onError']): Settings['onError'] =>
  async (error, about) => {
    try {
      await (about ? onError(error, about) : onError(error))
    } catch (failure) {
      console.error('jobtail: onError has failed:', failure, error)
    }
  }
