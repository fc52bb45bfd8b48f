/** A process that starts a job over HTTP and runs it until it is killed: `node redis-rerunner.ts URL LEASE_MS`. Prints the job's id once the job runs. */

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
