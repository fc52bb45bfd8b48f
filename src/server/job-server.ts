import { attachTo } from './adapters/attach.ts'
import { respond, targetOf } from './adapters/node.ts'
import { createUpgrade } from './adapters/upgrade.ts'
import { createCore } from './core.ts'
import { pathBelow, pathOf } from './routes.ts'
import type { JobServerOptions } from './server-options.ts'
import type { JobServer, NodeRequest } from './types.ts'

/**
 * Makes a server of jobs for Node. It listens on nothing by itself: pass it to a Node server with `attach`, or mount `handle`, `upgrade` or `fetch`.
 *
 * ```ts
 * const jobs = createJobServer({ start: (job, input) => render(input, job) })
 * jobs.attach(http.createServer().listen(8080))
 * ```
 *
 * @throws {RangeError} for an option out of range, and `TypeError` for an unknown one. The message names the option, what was expected and what came.
 */
export function createJobServer(options: JobServerOptions = {}): JobServer {
  const { parts, server } = createCore(options)
  const upgrade = createUpgrade(parts)

  const isOutside = (req: NodeRequest) => pathBelow(parts.settings.basePath, pathOf(targetOf(req))) === undefined

  const handle: JobServer['handle'] = (req, res, next) => {
    if (next && isOutside(req)) next()
    else void respond(req, res, parts)
  }

  return { ...server, handle, upgrade, attach: (server) => attachTo(server, { handle, upgrade, isOutside }) }
}
