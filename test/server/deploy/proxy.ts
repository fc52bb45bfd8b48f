/** A real reverse proxy, and the job servers behind it, until the test is over. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { JobServer } from '../../../src/server/types.ts'
import type { ProxyName } from '../../setup/proxies.ts'
import { openProxy } from './open-proxy.ts'

/** `configure` is given the port to listen on, and a folder. Resolves with the proxy's origin, once it listens. */
export async function startProxy(name: ProxyName, configure: (port: number, folder: string) => string): Promise<string> {
  const { origin, close } = await openProxy(name, configure)
  onTestFinished(close)
  return origin
}

export interface Node {
  port: number
  /** How often a load balancer has been told that it is well. */
  readonly checks: number
  /** As a deploy does: stops listening, says goodbye, ends. */
  stop(): Promise<void>
}

/** A job server that listens, on a given port or any, and answers `/health`. */
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
