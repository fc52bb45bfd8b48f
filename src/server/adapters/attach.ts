import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { JobServer, NodeRequest } from '../types.ts'
import type { Upgrade } from './upgrade.ts'

interface AttachOptions {
  handle: JobServer['handle']
  upgrade: Upgrade
  isOutside: (req: NodeRequest) => boolean
}

type Listener = (req: IncomingMessage, ...rest: unknown[]) => void

/**
 * Answers before the listeners that are there already, which get only what is outside: an application answers whatever it
 * gets, at least with its own 404, and two answers to one request are none.
 */
export function attachTo(server: Parameters<JobServer['attach']>[0], { handle, upgrade, isOutside }: AttachOptions): void {
  // The three kinds of server have the same events; their union has no common signature for `on`.
  const any = server as HttpServer // as: see above

  function putFirst(event: 'request' | 'upgrade', take: Listener): void {
    const others = any.rawListeners(event) as Listener[] // as: those of a server, for its events
    any.removeAllListeners(event)
    any.on(event, (req: IncomingMessage, ...rest: unknown[]) => {
      const isAlone = others.length === 0 && any.listenerCount(event) === 1
      if (isAlone || !isOutside(req)) return take(req, ...rest)
      for (const other of others) other.call(any, req, ...rest)
    })
  }

  // as: what the events carry
  putFirst('request', handle as unknown as Listener)
  putFirst('upgrade', upgrade as unknown as Listener)
}
