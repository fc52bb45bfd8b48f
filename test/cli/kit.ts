/** A job server with the jobs that a check needs: finished, running, cancellable. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CheckOptions } from '../../src/cli/check/index.ts'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServer } from '../../src/server/types.ts'

export const TOKEN = 'secret'
export const ORIGIN = 'https://app.example.com'

/** The `onTestFinished` of a test's context: the global function doesn't work in concurrent tests. */
export type OnFinished = (stop: () => void | Promise<void>) => void

export interface Kit {
  jobs: JobServer
  base: string
  /** The ids of the finished job's events. */
  ids: string[]
  /** The ids to give to the check. */
  options: Omit<CheckOptions, 'base'>
}

export async function serveKit(onFinished: OnFinished): Promise<Kit> {
  const jobs = createJobServer({
    heartbeatMs: 300,
    origins: [ORIGIN],
    authorize: ({ request }) => request.headers.get('authorization') === `Bearer ${TOKEN}` && { allow: true, subject: 'somebody' },
    async start(job) {
      await job.progress({ current: 1, total: 2 })
      return { url: '/1' }
    },
    onError: () => {}
  })
  const base = await listen(http.createServer(), onFinished, (server) => jobs.attach(server))
  onFinished(() => jobs.close({ graceMs: 100 }))
  const ids: string[] = []
  for (const [type, data] of [
    ['queued', {}],
    ['started', { attempt: 1 }],
    ['progress', { ratio: 0.5 }],
    ['output', 'half'],
    ['progress', { ratio: 1 }],
    ['succeeded', { url: '/done' }]
  ] as const)
    ids.push((await jobs.publish('done', type, data)).id)
  for (const job of ['running', 'live']) await jobs.publish(job, 'started', {})
  return { jobs, base, ids, options: { token: TOKEN, origin: ORIGIN, job: 'done', running: 'running', cancellable: 'live', input: '{}' } }
}

/** Starts the server on a loopback port until the end of the test. Resolves with `{base}`. */
export async function listen(server: http.Server, onFinished: OnFinished, prepare: (server: http.Server) => void = () => {}): Promise<string> {
  prepare(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs` // as: it listens on TCP
}
