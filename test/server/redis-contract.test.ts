import { afterAll, beforeAll, describe } from 'vitest'
import { redisLog } from '../../src/server/redis/index.ts'
import { describeEventLog } from '../../src/testing/event-log.ts'
import { type RedisServer, redisPath, startRedis } from './redis-server.ts'

describe.skipIf(!redisPath)('with a real Redis', () => {
  let redis: RedisServer
  let logs = 0
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.remove())

  describeEventLog('redis', { create: ({ maxEvents }) => redisLog({ url: redis.url, prefix: `log ${++logs}:`, maxEvents, timeoutMs: 20_000 }) })
})
