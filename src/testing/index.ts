/** `jobtail/testing`: conformance suites for Vitest, for an `EventLog` or a `Backend` of your own. */

export { type BackendUnderTest, describeBackend, type FollowingClient, type SeenEvent, type ServedJob } from './backend.ts'
export { describeEventLog, type LogUnderTest } from './event-log.ts'
