/** The conformance suite of backends, by both protocols, with the kit behind Connect's own adapter. */

import { describeBackend } from '../../src/testing/backend.ts'
import { follower, serveConnect, web } from './serve.ts'

for (const [name, transport] of Object.entries(web))
  describeBackend(`connect by ${name}`, {
    promises: 'log',
    client: ({ url, token }) => follower(url, transport, token && { token }),
    async serve() {
      const { jobs, url, close } = await serveConnect({ heartbeatMs: 1000, shortPollPauseMs: 50 })
      return {
        url,
        close,
        async job() {
          await jobs.publish('42', 'queued')
          return {
            id: '42',
            step: async (step) => void (await jobs.publish('42', 'output', { step })),
            end: async () => void (await jobs.publish('42', 'succeeded'))
          }
        }
      }
    },
    stepOf: ({ type, data }) => (type === 'output' ? (data as { step: number }).step : undefined) // as: the server's
  })
