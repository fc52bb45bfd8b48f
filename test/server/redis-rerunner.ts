/** A process of its own that is asked to start a job, and runs it until it is killed: `node redis-rerunner.ts URL LEASE_MS`. Says the job's id once it runs. */

import { createJobServer } from '../../src/server/index.ts'
import { redisLog } from '../../src/server/redis/index.ts'

const [url = '', leaseMs = ''] = process.argv.slice(2)
const jobs = createJobServer({
  log: redisLog({ url }),
  leaseMs: Number(leaseMs),
  onLost: 'rerun',
  authorize: () => true,
  async start(job) {
    await job.output('first')
    console.log(job.id)
    await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1))
  }
})
await jobs.fetch(new Request('http://localhost/jobs', { method: 'POST', body: '{"page":7}' }))
