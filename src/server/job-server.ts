import { attachTo } from './adapters/attach.ts'
import { respondToFetch } from './adapters/fetch.ts'
import { respond, urlOf } from './adapters/node.ts'
import { createUpgrade } from './adapters/upgrade.ts'
import { alarm } from './alarm.ts'
import { createBodies } from './bodies.ts'
import { Connections } from './connections.ts'
import type { Parts } from './handler.ts'
import { healthOf } from './health.ts'
import { memoryLog } from './log/memory.ts'
import { watchOutages } from './log/outage.ts'
import { sharedLog } from './log/shared.ts'
import { rememberLog } from './log-of.ts'
import { countingLog, createMetrics } from './metrics.ts'
import { pathBelow } from './routes.ts'
import { createRunner } from './run.ts'
import type { JobServer, JobServerOptions, NodeRequest, Settings } from './types.ts'

/** Makes a server of jobs: their logs, their readings, their runs. It listens on nothing itself. */
export function createJobServer(options: JobServerOptions = {}): JobServer {
  const metrics = createMetrics()
  const outages = watchOutages(countingLog(options.log ?? memoryLog(), metrics))
  const chosen = choose(options)
  const log = sharedLog(outages.log, chosen.heartbeatMs)
  const settings: Settings = { ...chosen, log, onError: outages.tellOnce(chosen.onError) }
  const connections = new Connections(settings, metrics)
  const runner = createRunner(settings)
  const parts: Parts = { settings, connections, bodies: createBodies(settings), runner, metrics }
  const upgrade = createUpgrade(parts)
  let closed: Promise<void> | undefined

  const isOutside = (req: NodeRequest) => pathBelow(settings.basePath, urlOf(req)?.pathname ?? '') === undefined

  const handle: JobServer['handle'] = (req, res, next) => {
    if (next && isOutside(req)) next()
    else void respond(req, res, parts)
  }

  async function closeAll(graceMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = alarm(graceMs, resolve)
    await Promise.all([connections.close(graceMs), Promise.race([runner.close(), late])])
    cancel()
    await log.close()
  }

  const server: JobServer = {
    handle,
    upgrade,
    attach: (server) => attachTo(server, { handle, upgrade, isOutside }),
    fetch: (request) => respondToFetch(request, parts),
    publish: (jobId, type, data) => log.append(jobId, type, data),
    run: runner.run,
    metrics: metrics.read,
    health: (options) => healthOf(log, connections, options),
    close({ graceMs = 5000 } = {}) {
      closed ??= closeAll(graceMs)
      return closed
    }
  }
  rememberLog(server, log)
  return server
}

function choose(options: JobServerOptions): Omit<Settings, 'log'> {
  const settings: Omit<Settings, 'log'> = {
    authorize: () => true,
    origins: [],
    allowCredentials: false,
    heartbeatMs: 15_000,
    pollMs: 2000,
    mux: 128,
    maxConnections: 10_000,
    maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
    maxBufferedBytes: 2 ** 20,
    maxBodyBytes: 2 ** 20,
    bodyTimeoutMs: 30_000,
    maxConnectionAgeMs: Number.POSITIVE_INFINITY,
    onError: (error) => console.error('jobtail:', error),
    // An option that is given as `undefined` has its default as well.
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    basePath: (options.basePath ?? '/jobs').replace(/\/+$/, '')
  }
  check(settings)
  return settings
}

function check(settings: Omit<Settings, 'log'>): void {
  const { basePath, origins, allowCredentials } = settings
  if (basePath !== '' && !basePath.startsWith('/')) throw new RangeError(`basePath: expected a path that begins with "/", got "${basePath}"`)
  if (origins === '*' && allowCredentials) throw new RangeError('origins: "*" with allowCredentials would let every page act as its visitor; name the origins')
  for (const name of [
    'heartbeatMs',
    'pollMs',
    'mux',
    'maxConnections',
    'maxConnectionsPerAddress',
    'maxBufferedBytes',
    'maxBodyBytes',
    'bodyTimeoutMs',
    'maxConnectionAgeMs'
  ] as const)
    if (!(settings[name] >= 1)) throw new RangeError(`${name}: expected a number from 1, got ${settings[name]}`)
}
