import type { EventLog } from './types.ts'

/**
 * A log that does what `log` does, but for `overrides`. All that a log can do, now and later, is passed on: a wrapper that names each function drops those
 * that it doesn't know. Where `append` is overridden and `appendMany` is not, several are appended one by one, so that none gets past it.
 */
export const wrapLog = (log: EventLog, overrides: Partial<EventLog>): EventLog => ({
  append: (...entry) => log.append(...entry),
  appendMany: overrides.append || !log.appendMany ? undefined : (...entries) => (log.appendMany as NonNullable<EventLog['appendMany']>)(...entries), // as: it has it
  read: (...asked) => log.read(...asked),
  snapshot: (jobId) => log.snapshot(jobId),
  watch: (...asked) => log.watch(...asked),
  renew: (...asked) => log.renew(...asked),
  adopt: log.adopt && ((...asked) => (log.adopt as NonNullable<EventLog['adopt']>)(...asked)), // as: it has it
  reset: (jobId) => log.reset(jobId),
  check: log.check && (() => (log.check as NonNullable<EventLog['check']>)()), // as: it has it
  close: () => log.close(),
  ...overrides
})
