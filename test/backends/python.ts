/** Starts Celery and Django with a Redis, if this machine has Debian's python3-celery, python3-django and python3-redis. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import { freePort, redisPath, startRedis } from '../server/redis-server.ts'
import { celery } from '../setup/peers.ts'
import type { RecordedJob } from './foreign-server.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))

export const python: string | undefined = redisPath && celery.find()

export interface CeleryServer {
  url: string
  /** A task that does the steps it is told. */
  job(): Promise<RecordedJob>
  close(): Promise<void>
}

/** A worker, and a view that answers as celery-progress does. */
export async function startCelery(): Promise<CeleryServer> {
  const redis = await startRedis()
  const port = await freePort()
  const env = { ...process.env, REDIS_URL: redis.url, PYTHONDONTWRITEBYTECODE: '1' }
  const start = (...args: string[]): ChildProcess => spawn(python ?? '', args, { cwd: folder, env, stdio: 'ignore' })
  const children = [start('-m', 'celery', '-A', 'celery_server', 'worker', '-P', 'threads', '-c', '8'), start('celery_server.py', `${port}`)]
  const url = `http://127.0.0.1:${port}`
  await vi.waitFor(async () => expect((await fetch(`${url}/celery-progress/none/`)).ok).toBe(true), { timeout: 30_000, interval: 50 })
  const get = async <T>(path: string): Promise<T> => (await (await fetch(`${url}${path}`)).json()) as T // as: of the views of celery_server.py
  return {
    url,
    async job() {
      const { task_id: id } = await get<{ task_id: string }>('/told/')
      const tell = (step: number | 'end') => get<void>(`/tell/${id}/${step}/`)
      return { id, step: tell, end: () => tell('end'), record: () => get<number[]>(`/record/${id}/`) }
    },
    async close() {
      for (const child of children) {
        const exited = once(child, 'exit')
        if (child.exitCode !== null || !child.kill('SIGKILL')) continue
        await exited
      }
      await redis.remove()
    }
  }
}
