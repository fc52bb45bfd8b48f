import { attachTo } from './adapters/attach.ts'
import { respond, targetOf } from './adapters/node.ts'
import { createUpgrade } from './adapters/upgrade.ts'
import { createCore } from './core.ts'
import { pathBelow, pathOf } from './routes.ts'
import type { JobServer, JobServerOptions, NodeRequest } from './types.ts'

/** Makes a server of jobs: their logs, their readings, their runs. It listens on nothing itself. */
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
