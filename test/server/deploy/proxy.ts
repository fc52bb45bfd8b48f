/** A real reverse proxy with job servers behind it, stopped at the end of the test. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { JobServer } from '../../../src/server/types.ts'
import type { ProxyName } from '../../setup/proxies.ts'
import { openProxy } from './open-proxy.ts'

/** `configure` gets the port to listen on, and a folder. Resolves with the proxy's origin once it listens. */
export async function startProxy(name: ProxyName, configure: (port: number, folder: string) => string): Promise<string> {
  const { origin, close } = await openProxy(name, configure)
  onTestFinished(close)
  return origin
}

export interface Node {
  port: number
  /** How many health checks were answered with "ok". */
  readonly checks: number
  /** Stops the node as a deploy does: stops listening, closes the job server, ends the connections. */
  stop(): Promise<void>
}

/** Starts a job server on the given port or a free one. It also answers `/health`. */
export async function startNode(jobs: JobServer, port = 0): Promise<Node> {
  let checks = 0
  const server = http.createServer(async (req, res) => {
    if (req.url !== '/health') return void res.writeHead(404).end()
    const { status } = await jobs.health()
    res.writeHead(status === 'ok' ? 200 : 503).end(status)
    if (status === 'ok') checks += 1
  })
  jobs.attach(server)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  let stopped: Promise<void> | undefined

  async function stop(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    await jobs.close({ graceMs: 5000 })
    server.closeAllConnections()
    await closed
  }

  const node: Node = {
    port: (server.address() as AddressInfo).port, // as: it listens on TCP
    get checks() {
      return checks
    },
    stop: () => (stopped ??= stop())
  }
  onTestFinished(node.stop)
  return node
}
