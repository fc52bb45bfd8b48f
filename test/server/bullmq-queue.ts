/** The setup of the bridge's tests: one Redis for a `describe`; queues, workers and bridges that are closed at the end of their test. */

import { type Job, Queue, Worker } from 'bullmq'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { type BullmqBridge, type BullmqBridgeOptions, bullmqBridge } from '../../src/server/bullmq/index.ts'
import type { EventLog } from '../../src/server/index.ts'
import { type RedisServer, startRedis } from './redis-server.ts'

/** A long timeout, since the machine may be busy. */
export const PATIENCE = { timeout: 20_000 }

export interface QueueStage {
  readonly redis: RedisServer
  /** The name of the latest queue, for workers and bridges. A test may set it. */
  name: string
  newQueue(): Queue
  newWorker(work: (job: Job, token?: string) => Promise<unknown>, options?: { concurrency?: number }): Worker
  newBridge(jobs: BullmqBridgeOptions['jobs'], options?: Partial<BullmqBridgeOptions>): BullmqBridge
}

/** To be called in a `describe`. `prefix` is that of the queues' names. */
export function createQueueStage(prefix: string): QueueStage {
  let server: RedisServer | undefined
  let queues = 0
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server?.remove())

  const stage: QueueStage = {
    name: '',
    get redis() {
      if (!server) throw new Error('Redis is started by `beforeAll`: expected a call within a test')
      return server
    },
    newQueue() {
      stage.name = `${prefix}${++queues}`
      const queue = new Queue(stage.name, { connection: connection() })
      onTestFinished(() => queue.close())
      return queue
    },
    newWorker(work, options = {}) {
      const worker = new Worker(stage.name, work, { connection: connection(), ...options })
      onTestFinished(() => worker.close(true))
      return worker
    },
    newBridge(jobs, options = {}) {
      const bridge = bullmqBridge({ queue: stage.name, connection: connection(), jobs, rowsEveryMs: 20, onError: () => {}, ...options })
      onTestFinished(() => bridge.close())
      return bridge
    }
  }
  const connection = () => ({ host: '127.0.0.1', port: stage.redis.port, maxRetriesPerRequest: null })
  return stage
}

/** The events of a job's log. */
export async function eventsOf(log: EventLog, job: string): Promise<[type: string, data: unknown][]> {
  const page = await log.read(job, undefined, 10_000)
  return (page?.events ?? []).map(({ type, data }) => [type, data])
}

/** Waits until the job has ended with this type and data. */
export const endsWith = (log: EventLog, job: string, end: readonly [type: string, data: unknown]): Promise<void> =>
  vi.waitFor(async () => {
    expect(await log.read(job, undefined, 10_000)).toMatchObject({ done: true })
    expect((await eventsOf(log, job)).at(-1)).toEqual(end)
  }, PATIENCE)
