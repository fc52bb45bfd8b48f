/** `jobtail/server/redis`: a log in Redis, shared by all processes that use it. */

export { type RedisLogOptions, redisLog } from './log.ts'
