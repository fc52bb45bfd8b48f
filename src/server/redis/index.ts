/** `jobtail/server/redis`: a log in Redis, shared by all processes that use it. */

export { redisLog } from './log.ts'
export type { RedisLogOptions } from './options.ts'
