import type { EventLog } from './types.ts'

/**
 * Makes a log that behaves as `log` does, except for `overrides`. Everything else is passed on, also functions that `EventLog` gets in a later version. Where
 * `append` is overridden and `appendMany` isn't, the new log has no `appendMany`: every event goes through the overridden `append`.
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
