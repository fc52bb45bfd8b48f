/** Starts a real proxy on loopback, in the foreground, with a folder of its own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProxy, type ProxyName } from '../../setup/proxies.ts'
import { freePort } from '../redis-server.ts'

interface Place {
  configuration: string
  folder: string
  port: number
}

const ARGUMENTS: Record<ProxyName, (place: Place) => string[]> = {
  haproxy: ({ configuration }) => ['-db', '-q', '-f', configuration],
  nginx: ({ configuration, folder }) => ['-p', folder, '-c', configuration, '-e', join(folder, 'error.log'), '-g', 'daemon off;'],
  apache: ({ configuration, folder }) => ['-d', folder, '-f', configuration, '-DFOREGROUND'],
  caddy: ({ configuration }) => ['run', '--config', configuration, '--adapter', 'caddyfile'],
  // The only proxy whose address isn't in its configuration.
  varnish: ({ configuration, folder, port }) => ['-F', '-a', `127.0.0.1:${port}`, '-f', configuration, '-n', join(folder, 'work'), '-s', 'malloc,32m'],
  lighttpd: ({ configuration }) => ['-D', '-f', configuration],
  squid: ({ configuration }) => ['-N', '-f', configuration],
  privoxy: ({ configuration }) => ['--no-daemon', configuration],
  tinyproxy: ({ configuration }) => ['-d', '-c', configuration]
}

/** How long a proxy may wait for its connections before it is killed. */
const END_MS = 3000
/** How much of the end of its output is kept. */
const MAX_SAID = 10_000

export interface Proxy {
  origin: string
  close(): Promise<void>
}

/** `configure` gets the port to listen on, and a folder. Resolves once the proxy listens. */
export async function openProxy(name: ProxyName, configure: (port: number, folder: string) => string): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), `jobtail-${name}-`))
  // Proxies that root starts change to another user.
  chmodSync(folder, 0o755)
  const port = await freePort()
  const configuration = join(folder, `${name}.conf`)
  writeFileSync(configuration, configure(port, folder))
  const child = spawn(findProxy(name) ?? name, ARGUMENTS[name]({ configuration, folder, port }), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      said = (said + data).slice(-MAX_SAID)
    })
  }
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  const abandon = (): void => {
    child.kill()
    remove()
  }
  process.once('exit', abandon)
  const exited = once(child, 'exit')
  async function close(): Promise<void> {
    process.off('exit', abandon)
    child.kill()
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS)
    await exited
    clearTimeout(timer)
    remove()
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

/** Resolves once the port accepts connections, or once `isOver` says that the proxy has ended. */
async function listens(port: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return
    await new Promise((resolve) => setTimeout(resolve, 20)) // between two attempts
  }
}
