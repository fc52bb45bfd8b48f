import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { findRedis } from '../setup/redis.ts'

export const redisPath: string | undefined = findRedis()

/** A Redis server for a test: on a free port of loopback, with a folder that is removed with it. */
export interface RedisServer {
  url: string
  port: number
  folder: string
  /** Starts the server again after `kill`, with the data in its folder. */
  start(): Promise<void>
  /** Kills the server without a warning, as a power cut would. */
  kill(): Promise<void>
  /** Stops the process (SIGSTOP): it doesn't answer, and its connections stay open. */
  freeze(): void
  thaw(): void
  command(...args: string[]): Promise<unknown>
  remove(): Promise<void>
}

/** Starts a Redis with these options of its command line. By default it writes nothing to disk. */
export async function startRedis(options: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  let child: ChildProcess

  async function start(): Promise<void> {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    child = spawn(redisPath ?? 'redis-server', [...fixed, ...options], { argv0: 'redis-server', stdio: 'ignore' })
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`redis-server ended with ${code}`)
    })
    exited.catch(() => {}) // it ends at some time
    const client = createClient({ url, socket: { reconnectStrategy: 20 } })
    client.on('error', () => {}) // until the server listens
    const isAnswering = async () => {
      await client.connect()
      while (!(await client.ping().catch(() => undefined))); // the server is still loading its data
    }
    await Promise.race([exited, isAnswering()]).finally(() => client.destroy())
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    url,
    port,
    folder,
    start,
    kill,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    async command(...args) {
      const client = createClient({ url, socket: { reconnectStrategy: false } })
      client.on('error', () => {}) // the command rejects
      await client.connect()
      try {
        return await client.sendCommand(args)
      } finally {
        client.destroy()
      }
    },
    async remove() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
