/** A process that appends events to a job: `node redis-writer.ts URL JOB NAME COUNT`. Prints the ids of the acknowledged events. */

import { redisLog } from '../../src/server/redis/index.ts'

const [url = '', job = '', name = '', count = '0'] = process.argv.slice(2)
const log = redisLog({ url, timeoutMs: 30_000 })
const appended = Array.from({ length: Number(count) }, (_, n) => log.append(job, 'output', `${name} ${n}`))
const events = await Promise.all(appended)
await log.close()
console.log(JSON.stringify(events.map(({ id }) => id)))
