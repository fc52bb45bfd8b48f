/** A process that runs a job until it is killed: `node redis-runner.ts URL JOB LEASE_MS`. Prints a line once the job runs. */

import { createJobServer } from '../../src/server/index.ts'
import { redisLog } from '../../src/server/redis/index.ts'

const [url = '', id = '', leaseMs = ''] = process.argv.slice(2)
const jobs = createJobServer({ log: redisLog({ url }), leaseMs: Number(leaseMs) })
await jobs.run(id, async (job) => {
  await job.progress(0.5)
  console.log('runs')
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1))
})
