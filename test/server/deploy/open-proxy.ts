/** A real reverse proxy on loopback, with a folder of its own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProxy, type ProxyName } from '../../setup/proxies.ts'
import { freePort } from '../redis-server.ts'

const ARGUMENTS: Record<ProxyName, (folder: string) => string[]> = {
  haproxy: (folder) => ['-db', '-q', '-f', join(folder, 'haproxy.conf')],
  nginx: (folder) => ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log'), '-g', 'daemon off;']
}

export interface Proxy {
  origin: string
  close(): Promise<void>
}

/** `configure` is given the port to listen on, and a folder. Resolves once the proxy listens. */
export async function openProxy(name: ProxyName, configure: (port: number, folder: string) => string): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), `jobtail-${name}-`))
  const port = await freePort()
  writeFileSync(join(folder, `${name}.conf`), configure(port, folder))
  const child = spawn(findProxy(name) ?? name, ARGUMENTS[name](folder), { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (data) => {
    said += data
  })
  const exited = once(child, 'exit')
  async function close(): Promise<void> {
    child.kill()
    await exited
    rmSync(folder, { recursive: true, force: true })
  }
  const failed = exited.then(([code]) => {
    throw new Error(`${name} ended with ${code}: ${said}`)
  })
  failed.catch(() => {}) // it ends some time
  try {
    await Promise.race([failed, listens(port, () => child.exitCode !== null)])
  } catch (error) {
    await close()
    throw error
  }
  return { origin: `http://127.0.0.1:${port}`, close }
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
