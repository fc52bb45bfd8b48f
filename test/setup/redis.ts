import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** Where whoever runs the tests may say which redis-server to use; empty for none. */
const VARIABLE = 'REDIS_SERVER_PATH'

/** An executable that is a Redis server where it is called by that name: Debian's `redis-tools` has one, and starts no service. */
export function findRedis(): string | undefined {
  const asked = process.env[VARIABLE]
  if (asked !== undefined) return asked || undefined
  const folders = (process.env.PATH ?? '').split(delimiter)
  return ['redis-server', 'valkey-server', 'redis-check-rdb'].flatMap((command) => folders.map((folder) => join(folder, command))).find(isExecutable)
}
