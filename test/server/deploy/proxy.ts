/** A real reverse proxy on loopback, with a folder of its own, until the test is over. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { JobServer } from '../../../src/server/types.ts'
import { findProxy, type ProxyName } from '../../setup/proxies.ts'

const ARGUMENTS: Record<ProxyName, (folder: string) => string[]> = {
  haproxy: (folder) => ['-db', '-q', '-f', join(folder, 'haproxy.conf')],
  nginx: (folder) => ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log'), '-g', 'daemon off;']
}

/** `configure` is given the port to listen on, and a folder. Resolves with the proxy's origin, once it listens. */
export async function startProxy(name: ProxyName, configure: (port: number, folder: string) => string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `jobtail-${name}-`))
  const port = await freePort()
  writeFileSync(join(folder, `${name}.conf`), configure(port, folder))
  const child = spawn(findProxy(name) ?? name, ARGUMENTS[name](folder), { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (data) => {
    said += data
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill()
    await exited
    rmSync(folder, { recursive: true, force: true })
  })
  const failed = exited.then(([code]) => {
    throw new Error(`${name} ended with ${code}: ${said}`)
  })
  failed.catch(() => {}) // it ends some time
  await Promise.race([failed, listens(port, () => child.exitCode !== null)])
  return `http://127.0.0.1:${port}`
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves once somebody listens on the port, or nobody ever will. */
async function listens(port: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return
    await new Promise((resolve) => setTimeout(resolve, 20)) // between two looks
  }
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
