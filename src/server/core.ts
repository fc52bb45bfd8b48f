import { respondToFetch } from './adapters/fetch.ts'
import { alarm } from './alarm.ts'
import { createBodies } from './bodies.ts'
import { Connections } from './connections.ts'
import type { Parts } from './handler.ts'
import { healthOf } from './health.ts'
import { memoryLog } from './log/memory.ts'
import { watchOutages } from './log/outage.ts'
import { enterProcess } from './log/process-wide.ts'
import { sharedLog } from './log/shared.ts'
import { countingLog, createMetrics } from './metrics.ts'
import { createRunner } from './run.ts'
import { checkOptions, settingsFrom, unfailing } from './settings.ts'
import type { FetchJobServer, JobServerOptions, Settings } from './types.ts'

/** What a server is wherever it runs, and what answers a request in it. */
export interface Core {
  parts: Parts
  server: FetchJobServer
}

export function createCore(options: JobServerOptions): Core {
  checkOptions(options)
  const metrics = createMetrics()
  const own = options.log ?? memoryLog()
  const outages = watchOutages(countingLog(own, metrics))
  const chosen = settingsFrom(options)
  const leaveProcess = enterProcess(own, chosen.basePath)
  const log = sharedLog(outages.log, chosen.heartbeatMs)
  const settings: Settings = { ...chosen, log, onError: outages.tellOnce(unfailing(chosen.onError)) }
  const connections = new Connections(settings, metrics)
  const runner = createRunner(settings)
  const parts: Parts = { settings, connections, bodies: createBodies(settings), runner, metrics }
  let closed: Promise<void> | undefined

  async function closeAll(graceMs: number): Promise<void> {
    leaveProcess()
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = alarm(graceMs, resolve)
    await Promise.all([connections.close(graceMs), Promise.race([runner.close(), late])])
    cancel()
    await log.close()
  }

  const server: FetchJobServer = {
    log,
    fetch: (request, context) => respondToFetch(request, context, parts),
    publish: (jobId, type, data) => log.append(jobId, type, data),
    run: runner.run,
    metrics: metrics.read,
    health: (options) => healthOf(log, connections, options),
    async close({ graceMs = 5000 } = {}) {
      if (!(graceMs >= 0)) throw new RangeError(`graceMs: expected ms from 0, got ${graceMs}`)
      closed ??= closeAll(graceMs)
      return closed
    }
  }
  return { parts, server }
}
