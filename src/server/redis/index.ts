/** `jobtail/server/redis`: an event log in Redis, shared by any number of processes. */

export { redisLog } from './log.ts'
export type { RedisLogOptions } from './options.ts'
