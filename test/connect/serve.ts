/** A job server that is reached by Connect and by HTTP, and clients of it. */

import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createClient as clientOf, type Transport } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web'
import { connect, JobService } from '../../src/connect.ts'
import { type Client, type ClientOptions, createClient } from '../../src/index.ts'
import { connectOptions } from '../../src/server/connect.ts'
import { createJobServer, type JobServer, type JobServerOptions } from '../../src/server/index.ts'

/** The protocols of a page. */
export const web = { Connect: createConnectTransport, 'gRPC-Web': createGrpcWebTransport } as const

export interface ConnectServer {
  jobs: JobServer
  url: string
  server: http.Server | http2.Http2Server
  close(): Promise<void>
}

/** Starts a server over HTTP/1.1, or over HTTP/2 without TLS. */
export async function serveConnect(options: JobServerOptions = {}, version: 1 | 2 = 1): Promise<ConnectServer> {
  const jobs = createJobServer({ onError: () => {}, ...options })
  const handler = connectNodeAdapter(connectOptions(jobs))
  const server = version === 1 ? http.createServer(handler) : http2.createServer(handler)
  if (server instanceof http.Server) jobs.attach(server)
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    jobs,
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, // as: a server that listens on TCP has an address
    async close() {
      await jobs.close({ graceMs: 100 })
      if (server instanceof http.Server) server.closeAllConnections()
      for (const session of sessions) session.destroy()
      server.close()
    }
  }
}

/** A client that follows by Connect, with short pauses. */
export const follower = (url: string, transport: Parameters<typeof connect>[0]['transport'], options: ClientOptions = {}): Client =>
  createClient({ url, backend: connect({ transport }), memory: false, retry: { baseMs: 10, maxMs: 50 }, ...options })

/** The service as any client of Connect calls it. */
export const callerOf = (transport: Transport) => clientOf(JobService, transport)

/** All that is yielded. */
export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const each of items) all.push(each)
  return all
}
