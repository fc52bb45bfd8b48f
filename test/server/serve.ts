import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Reading } from '../../src/protocol/frames.ts'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServer, JobServerOptions } from '../../src/server/types.ts'

export interface Served {
  jobs: JobServer
  server: http.Server
  port: number
  /** `{base}` of the protocol. */
  base: string
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body?: string, headers?: Record<string, string>): Promise<Response>
  read(path: string, headers?: Record<string, string>): Promise<Reading>
  openConnections(): Promise<number>
}

/** A job server on a real socket of loopback, stopped when the test is over. Errors that the kit reports fail nothing; pass `onError` to see them. */
export async function serve(options: JobServerOptions = {}): Promise<Served> {
  const jobs = createJobServer({ onError: () => {}, ...options })
  const server = http.createServer()
  jobs.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await jobs.close({ graceMs: 100 })
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  const base = `http://127.0.0.1:${port}${options.basePath ?? '/jobs'}`
  const get = (path: string, headers: Record<string, string> = {}) => fetch(base + path, { headers })
  return {
    jobs,
    server,
    port,
    base,
    get,
    post: (path, body = '', headers = {}) => fetch(base + path, { method: 'POST', body, headers }),
    read: async (path, headers) => (await get(path, headers)).json() as Promise<Reading>, // as: the tests look at each field
    openConnections: () => new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))
  }
}
