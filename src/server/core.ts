import { respondToFetch } from './adapters/fetch.ts'
import { createBodies } from './bodies.ts'
import { Connections } from './connections.ts'
import type { Parts } from './handler.ts'
import { healthOf } from './health.ts'
import { checkEntry, checkJobId, JsonText } from './log/entry.ts'
import { memoryLog } from './log/memory.ts'
import { watchOutages } from './log/outage.ts'
import { enterProcess } from './log/process-wide.ts'
import { sharedLog } from './log/shared.ts'
import { longTimeout } from './long-timeout.ts'
import { countingLog, createMetrics } from './metrics.ts'
import { checkSize } from './outbox.ts'
import { watchOrphans } from './rerun.ts'
import { createRunner } from './run.ts'
import { checkOptions, settingsFrom, unfailing, warnIfOpen } from './settings.ts'
import type { FetchJobServer, JobServerOptions, Settings } from './types.ts'

/** What a server is wherever it runs, and what answers a request in it. */
export interface Core {
  parts: Parts
  server: FetchJobServer
}

export function createCore(options: JobServerOptions): Core {
  checkOptions(options)
  warnIfOpen(options)
  const metrics = createMetrics()
  const own = options.log ?? memoryLog()
  const outages = watchOutages(countingLog(own, metrics))
  const chosen = settingsFrom(options)
  const leaveProcess = enterProcess(own, chosen.basePath)
  const reruns = chosen.onLost === 'rerun' ? watchOrphans(outages.log) : undefined
  const log = sharedLog(reruns?.log ?? outages.log, chosen.heartbeatMs)
  const settings: Settings = { ...chosen, log, onError: outages.tellOnce(unfailing(chosen.onError)) }
  const connections = new Connections(settings, metrics)
  const runner = createRunner(settings, metrics)
  reruns?.begin(settings, runner)
  const parts: Parts = { settings, connections, bodies: createBodies(settings), runner, metrics }
  let closed: Promise<void> | undefined

  async function closeAll(graceMs: number, drainMs: number): Promise<void> {
    leaveProcess()
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const ended = runner.close(drainMs)
    await runner.drained
    const drainedAt = performance.now()
    const cancel = longTimeout(graceMs, resolve)
    // The ends of the jobs that were waited for go out before the `bye`: a log in memory is gone when their readers come back.
    if (drainMs > 0) await Promise.race([log.settled(), late])
    const leftMs = Math.max(0, graceMs - (performance.now() - drainedAt))
    await Promise.all([connections.close(leftMs), Promise.race([ended, late])])
    cancel()
    await log.close()
  }

  async function publish(...[jobId, type, data, options]: Parameters<FetchJobServer['publish']>): ReturnType<FetchJobServer['publish']> {
    checkJobId(jobId)
    const json = checkEntry(jobId, type, data)
    checkSize(jobId, type, json, settings.maxEventBytes)
    return log.append(jobId, type, new JsonText(json), options)
  }

  const server: FetchJobServer = {
    log,
    fetch: (request, context) => respondToFetch(request, context, parts),
    publish,
    run: (jobId, work) => runner.run(jobId, work),
    metrics: metrics.read,
    health: async (options) => (runner.closing ? { status: 'closing' } : healthOf(log, connections, options)),
    async close({ graceMs = 5000, drainMs = 0 } = {}) {
      if (!(graceMs >= 0)) throw new RangeError(`graceMs: expected ms from 0, got ${graceMs}`)
      if (!(drainMs >= 0)) throw new RangeError(`drainMs: expected ms from 0, got ${drainMs}`)
      closed ??= closeAll(graceMs, drainMs)
      return closed
    }
  }
  return { parts, server }
}
