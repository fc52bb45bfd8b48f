import { respondToFetch } from './adapters/fetch.ts'
import { createBodyReader } from './body-reader.ts'
import { Connections } from './connections.ts'
import type { ServerParts } from './handler.ts'
import { healthOf } from './health.ts'
import { checkDataSize, checkEntry, checkJobId, JsonText, show } from './log/entry.ts'
import { memoryLog } from './log/memory.ts'
import { watchOutages } from './log/outage.ts'
import { registerServer } from './log/process-wide.ts'
import { sharedLog } from './log/shared.ts'
import type { EventLog } from './log/types.ts'
import { settledWithin } from './long-timeout.ts'
import { countAppends, createMetrics } from './metrics.ts'
import { watchOrphans } from './rerun.ts'
import { createRunner } from './run.ts'
import type { JobServerOptions, Settings } from './server-options.ts'
import { catchErrors, checkOptions, settingsFrom, warnIfOpen } from './settings.ts'
import type { FetchJobServer } from './types.ts'

/** A server without what takes Node's own requests and sockets, and the parts that answer a request. */
export interface Core {
  parts: ServerParts
  server: FetchJobServer
}

/** The parts of each server, by its log, which is an object of its own for each server. */
const partsByLog = new WeakMap<EventLog, ServerParts>()

/**
 * The parts of a server, for another way to reach it than its own functions.
 * @throws {TypeError} for anything that `createJobServer` hasn't made
 */
export function partsOf(server: Pick<FetchJobServer, 'log'>): ServerParts {
  const parts = partsByLog.get(Object(server).log)
  if (!parts) throw new TypeError(`expected a server that createJobServer has made, got ${show(server)}`)
  return parts
}

/** How long `close` waits for readers to read the ends of jobs. A reader that reads nothing must not keep the others from their `bye`. */
const MAX_READ_ENDS_MS = 2500

/** Wires the parts of a server together. Throws for an option out of range. */
export function createCore(options: JobServerOptions): Core {
  checkOptions(options)
  warnIfOpen(options)
  const metrics = createMetrics()
  const configuredLog = options.log ?? memoryLog()
  const outages = watchOutages(countAppends(configuredLog, metrics))
  const withDefaults = settingsFrom(options)
  const unregister = registerServer(configuredLog, withDefaults.basePath)
  const orphans = withDefaults.onLost === 'rerun' ? watchOrphans(outages.log) : undefined
  const log = sharedLog(orphans?.log ?? outages.log, withDefaults.heartbeatMs)
  const settings: Settings = { ...withDefaults, log, onError: outages.reportOnce(catchErrors(withDefaults.onError)) }
  const connections = new Connections(settings, metrics)
  const runner = createRunner(settings, metrics)
  orphans?.start(settings, runner)
  const parts: ServerParts = { settings, connections, bodies: createBodyReader(settings), runner, metrics }
  partsByLog.set(log, parts)
  let closed: Promise<void> | undefined

  async function closeAll(graceMs: number, drainMs: number): Promise<void> {
    unregister()
    const ended = runner.close(drainMs)
    await runner.drained
    const drainedAt = performance.now()
    // The ends of the jobs that were waited for go out before the `bye`: a log in memory is gone when their readers come back.
    if (drainMs > 0) await settledWithin(log.endsRead(), Math.min(MAX_READ_ENDS_MS, graceMs / 2))
    const leftMs = Math.max(0, graceMs - (performance.now() - drainedAt))
    await Promise.all([connections.close(leftMs), settledWithin(ended, leftMs)])
    await log.close()
  }

  async function publish(...[jobId, type, data, options]: Parameters<FetchJobServer['publish']>): ReturnType<FetchJobServer['publish']> {
    checkJobId(jobId)
    const json = checkEntry(jobId, type, data)
    checkDataSize(jobId, type, json, settings.maxEventBytes)
    return log.append(jobId, type, new JsonText(json), options)
  }

  const server: FetchJobServer = {
    log,
    fetch: (request, context) => respondToFetch(request, context, parts),
    publish,
    run: (jobId, work) => runner.run(jobId, work),
    metrics: metrics.read,
    health: (options) => healthOf(log, runner.closing, options),
    async close({ graceMs = 5000, drainMs = 0 } = {}) {
      if (!(graceMs >= 0)) throw new RangeError(`graceMs: expected milliseconds from 0, got ${graceMs}`)
      if (!(drainMs >= 0)) throw new RangeError(`drainMs: expected milliseconds from 0, got ${drainMs}`)
      closed ??= closeAll(graceMs, drainMs)
      return closed
    }
  }
  return { parts, server }
}
