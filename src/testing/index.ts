/** `jobtail/testing`: suites for Vitest that say whether what you have written keeps its promises. */

export { describeEventLog, type LogUnderTest } from './event-log.ts'
