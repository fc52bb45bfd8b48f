/** `jobtail/testing`: suites for Vitest that say whether what you have written keeps its promises. */

export { type BackendUnderTest, describeBackend, type FollowingClient, type SeenEvent, type ServedJob } from './backend.ts'
export { describeEventLog, type LogUnderTest } from './event-log.ts'
