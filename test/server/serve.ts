import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Reading } from '../../src/protocol/frames.ts'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import type { JobServer } from '../../src/server/types.ts'

export interface Served {
  jobs: JobServer
  server: http.Server
  port: number
  /** The `{base}` of PROTOCOL.md. */
  base: string
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body?: string, headers?: Record<string, string>): Promise<Response>
  read(path: string, headers?: Record<string, string>): Promise<Reading>
  openConnections(): Promise<number>
}

/** Starts a job server on a loopback port, and stops it at the end of the test. Errors that the server reports don't fail the test; pass `onError` to see them. */
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
  const { port } = server.address() as AddressInfo // as: a server that listens on TCP has an address
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
