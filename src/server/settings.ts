import { show } from './log/entry.ts'
import { isNormalPath } from './routes.ts'
import type { JobServerOptions, Settings } from './server-options.ts'

/** What an option's value has to be: in words for the error message, and as a check. */
type Rule = readonly [expected: string, isRight: (value: unknown) => boolean]

const MAX_INTERVAL_MS = 2 ** 31 - 1

const isFunction = (value: unknown): boolean => typeof value === 'function'
const isNumber = (value: unknown, to = Number.POSITIVE_INFINITY): boolean => typeof value === 'number' && value >= 1 && value <= to
const isPath = (value: unknown): boolean => value === '' || (typeof value === 'string' && isNormalPath(value))
/** As browsers write it in the `Origin` header: an entry with a path or capitals would never match one. */
const isOrigin = (value: unknown): boolean => typeof value === 'string' && /^(null|[a-z][a-z\d+.-]*:\/\/[^/?#*A-Z\s]+)$/.test(value)
/** A name without a port: `app.example`, `.app.example`, `*.app.example`. */
const isHost = (value: unknown): boolean => typeof value === 'string' && /^(\*?\.)?[a-z\d_-]+(\.[a-z\d_-]+)*\.?$/i.test(value)
const isLog = (value: unknown): boolean => ['append', 'read', 'snapshot', 'watch', 'renew', 'reset', 'close'].every((name) => isFunction(Object(value)[name]))

const AMOUNT: Rule = ['a number from 1', (value) => isNumber(value)]
const INTERVAL: Rule = [`a number from 1 to ${MAX_INTERVAL_MS}`, (value) => isNumber(value, MAX_INTERVAL_MS)]
const BOOLEAN: Rule = ['true or false', (value) => typeof value === 'boolean']
const FUNCTION: Rule = ['a function', isFunction]

const RULES: Record<keyof JobServerOptions, Rule> = {
  basePath: ['a path that begins with "/", as URLs write it', isPath],
  log: ['an EventLog, such as memoryLog()', isLog],
  start: FUNCTION,
  idOf: FUNCTION,
  authorize: FUNCTION,
  origins: [
    '"*", a function, or a list of origins such as "https://app.example"',
    (value) => value === '*' || isFunction(value) || (Array.isArray(value) && value.every(isOrigin))
  ],
  hosts: [
    'a list of names such as "app.example", ".app.example" or "*.app.example", without scheme and port',
    (value) => Array.isArray(value) && value.length > 0 && value.every(isHost)
  ],
  trustForwardedHost: BOOLEAN,
  allowCredentials: BOOLEAN,
  heartbeatMs: INTERVAL,
  shortPollPauseMs: INTERVAL,
  maxJobsPerConnection: ['an integer from 1', (value) => isNumber(value) && Number.isSafeInteger(value)],
  maxReaders: AMOUNT,
  maxReadersPerAddress: AMOUNT,
  maxBufferedBytes: AMOUNT,
  maxBodyBytes: AMOUNT,
  bodyTimeoutMs: AMOUNT,
  maxConnectionAgeMs: AMOUNT,
  fastPath: BOOLEAN,
  leaseMs: [`a number from 100 to ${MAX_INTERVAL_MS}`, (value) => isNumber(value, MAX_INTERVAL_MS) && Number(value) >= 100],
  onLost: ['"fail" or "rerun"', (value) => value === 'fail' || value === 'rerun'],
  maxAttempts: ['an integer from 1', (value) => isNumber(value) && Number.isSafeInteger(value)],
  maxRunning: AMOUNT,
  maxRunningPerSubject: AMOUNT,
  maxQueued: ['a number from 0', (value) => value === 0 || isNumber(value)],
  timeoutMs: AMOUNT,
  maxEventBytes: AMOUNT,
  exposeErrors: ['true or false', (value) => typeof value === 'boolean'],
  onError: FUNCTION
}

/** Throws for an option out of range, and for an unknown name: with a misspelt `authorize` everybody would be let in. */
export function checkOptions(options: JobServerOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(RULES, name)) throw new TypeError(`createJobServer: unknown option "${name}", expected one of ${Object.keys(RULES).join(', ')}`)
    const [expected, isRight] = RULES[name as keyof JobServerOptions] // as: `hasOwn` has checked it
    if (value !== undefined && !isRight(value)) throw new RangeError(`${name}: expected ${expected}, got ${show(value)}`)
  }
  if (options.onLost === 'rerun' && options.log && !isFunction(options.log.adopt))
    throw new TypeError('onLost: "rerun" needs a log with `adopt`, such as memoryLog() or redisLog(): this one has none')
  if (options.onLost === 'rerun' && !options.start) throw new TypeError('onLost: "rerun" needs `start`, which runs a job again; none was given')
  if (options.origins === '*' && options.allowCredentials)
    throw new RangeError('origins: "*" together with allowCredentials would let every page act in the name of its visitor; list the origins instead')
}

/** Fills in the defaults of all options but `log`. */
export function settingsFrom(options: JobServerOptions): Omit<Settings, 'log'> {
  return {
    origins: [],
    allowCredentials: false,
    trustForwardedHost: false,
    heartbeatMs: 15_000,
    shortPollPauseMs: 2000,
    maxJobsPerConnection: 128,
    maxReaders: 10_000,
    maxReadersPerAddress: Number.POSITIVE_INFINITY,
    maxBufferedBytes: 2 ** 20,
    maxBodyBytes: 2 ** 20,
    bodyTimeoutMs: 30_000,
    maxConnectionAgeMs: Number.POSITIVE_INFINITY,
    fastPath: true,
    leaseMs: 30_000,
    onLost: 'fail',
    maxAttempts: 3,
    maxRunning: 100,
    maxRunningPerSubject: Number.POSITIVE_INFINITY,
    maxQueued: 10_000,
    timeoutMs: Number.POSITIVE_INFINITY,
    maxEventBytes: 2 ** 24,
    exposeErrors: false,
    onError: (error, { jobId } = {}) => console.error('jobtail:', ...(jobId === undefined ? [] : [`job ${JSON.stringify(jobId)}:`]), error),
    // An option that is `undefined` keeps its default.
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    basePath: (options.basePath ?? '/jobs').replace(/\/+$/, '')
  }
}

let hasWarned = false

/** Warns, once in a process, about a server with `start` and without `authorize`: to let everybody start jobs has to be a decision, not an oversight. */
export function warnIfOpen({ start, authorize }: JobServerOptions): void {
  if (!start || authorize || hasWarned) return
  hasWarned = true
  console.warn(
    'jobtail: this server has no `authorize`: everybody who reaches it may start, follow and cancel jobs. ' +
      'If that is intended, say authorize: () => ({ allow: true, subject: "anybody" })'
  )
}

/** Catches what `onError` throws or rejects with: a logger that fails must neither leave a request unanswered nor end the process. */
export const catchErrors =
  (onError: Settings['onError']): Settings['onError'] =>
  async (error, about) => {
    try {
      await (about ? onError(error, about) : onError(error))
    } catch (failure) {
      console.error('jobtail: onError threw:', failure, 'while it was given:', error)
    }
  }
