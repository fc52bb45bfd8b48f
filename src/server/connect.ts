/** `jobtail/server/connect`: serves jobs by Connect, gRPC-Web and gRPC, as routes for `@connectrpc/connect-node` and its adapters for Express and Fastify. */

import { type ConnectRouter, type ContextValues, createContextKey, createContextValues, type HandlerContext } from '@connectrpc/connect'
import { JobService } from '../connect/jobtail/v1/jobs_pb.ts'
import { follow } from './connect/follow.ts'
import { cancelJob, readSnapshot, startJob } from './connect/unary.ts'
import { partsOf } from './core.ts'
import type { Source } from './permission.ts'
import type { JobServer, NodeRequest } from './types.ts'

export type { NodeRequest } from './types.ts'

/** Options of `connectNodeAdapter`, `expressConnectMiddleware` and `fastifyConnectPlugin`. */
export interface ConnectOptions {
  /** Adds `jobtail.v1.JobService` to a router. */
  routes: (router: ConnectRouter) => void
  /**
   * Passes Node's request on to `authorize`, as `source.node` with `source.address`; Fastify's as its `raw`. Without it there is no limit by address
   * (`maxReadersPerAddress`), and `close()` and slow readers can end a call, but not its connection.
   */
  contextValues: (request: NodeRequest | { raw: NodeRequest }) => ContextValues
}

/**
 * Serves a job server's jobs as `jobtail.v1.JobService` as well: the same jobs, cursors, `authorize` and limits.
 *
 * ```ts
 * jobs.attach(http.createServer(connectNodeAdapter(connectOptions(jobs))).listen(8080))
 * ```
 *
 * @throws {TypeError} for anything that `createJobServer` hasn't made
 */
export function connectOptions(jobs: Pick<JobServer, 'log'>): ConnectOptions {
  const parts = partsOf(jobs)
  const serve = (router: ConnectRouter): void => {
    router.service(JobService, {
      follow: (request, context) => follow(request, context, sourceOf(context), parts),
      snapshot: (request, context) => readSnapshot(request, context, sourceOf(context), parts),
      cancel: (request, context) => cancelJob(request, context, sourceOf(context), parts),
      start: (request, context) => startJob(request, context, sourceOf(context), parts)
    })
  }
  return { routes: serve, contextValues: (request) => createContextValues().set(SOURCE, 'raw' in request ? request.raw : request) }
}

const SOURCE = createContextKey<NodeRequest | undefined>(undefined)

function sourceOf({ values }: HandlerContext): Source {
  const node = values.get(SOURCE)
  const address = node?.socket.remoteAddress
  return { ...(node && { node }), ...(address !== undefined && { address }) }
}
