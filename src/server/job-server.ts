import { attachTo } from './adapters/attach.ts'
import { respondToFetch } from './adapters/fetch.ts'
import { respond, urlOf } from './adapters/node.ts'
import { createUpgrade } from './adapters/upgrade.ts'
import { alarm } from './alarm.ts'
import { createBodies } from './bodies.ts'
import { Connections } from './connections.ts'
import type { Parts } from './handler.ts'
import { healthOf } from './health.ts'
import { checkEntry, checkJobId, JsonText } from './log/entry.ts'
import { memoryLog } from './log/memory.ts'
import { watchOutages } from './log/outage.ts'
import { sharedLog } from './log/shared.ts'
import { countingLog, createMetrics } from './metrics.ts'
import { checkSize } from './outbox.ts'
import { pathBelow } from './routes.ts'
import { createRunner } from './run.ts'
import { checkOptions, settingsFrom, unfailing } from './settings.ts'
import type { JobServer, JobServerOptions, NodeRequest, Settings } from './types.ts'

/** Makes a server of jobs: their logs, their readings, their runs. It listens on nothing itself. */
export function createJobServer(options: JobServerOptions = {}): JobServer {
  checkOptions(options)
  const metrics = createMetrics()
  const outages = watchOutages(countingLog(options.log ?? memoryLog(), metrics))
  const chosen = settingsFrom(options)
  const log = sharedLog(outages.log, chosen.heartbeatMs)
  const settings: Settings = { ...chosen, log, onError: outages.tellOnce(unfailing(chosen.onError)) }
  const connections = new Connections(settings, metrics)
  const runner = createRunner(settings, metrics)
  const parts: Parts = { settings, connections, bodies: createBodies(settings), runner, metrics }
  const upgrade = createUpgrade(parts)
  let closed: Promise<void> | undefined

  const isOutside = (req: NodeRequest) => pathBelow(settings.basePath, urlOf(req)?.pathname ?? '') === undefined

  const handle: JobServer['handle'] = (req, res, next) => {
    if (next && isOutside(req)) next()
    else void respond(req, res, parts)
  }

  async function closeAll(graceMs: number, drainMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const ended = runner.close(drainMs)
    await runner.drained
    const cancel = alarm(graceMs, resolve)
    await Promise.all([connections.close(graceMs), Promise.race([ended, late])])
    cancel()
    await log.close()
  }

  async function publish(...[jobId, type, data, options]: Parameters<JobServer['publish']>): ReturnType<JobServer['publish']> {
    checkJobId(jobId)
    const json = checkEntry(jobId, type, data)
    checkSize(jobId, type, json, settings.maxEventBytes)
    return log.append(jobId, type, new JsonText(json), options)
  }

  return {
    log,
    handle,
    upgrade,
    attach: (server) => attachTo(server, { handle, upgrade, isOutside }),
    fetch: (request) => respondToFetch(request, parts),
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
}
