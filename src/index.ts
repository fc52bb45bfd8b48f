/** jobtail: the public surface. */

import { createClient as createCoreClient } from './client.ts'
import { indexedDbMemory } from './memory/indexed-db.ts'
import { longPoll, shortPoll } from './transports/poll.ts'
import { sse } from './transports/sse.ts'
import { webSocket } from './transports/websocket.ts'
import type { Client, ClientOptions, SubscribeOptions, Subscription } from './types.ts'

export { type ErrorCode, isJobtailError, JobFailedError, JobtailError, TransportError } from './errors.ts'
export { explain } from './explain.ts'
export type * from './types.ts'
export { indexedDbMemory, longPoll, shortPoll, sse, webSocket }

/** A client for the jobs at one base URL. Inert until something is followed. */
export const createClient = (options: ClientOptions = {}): Client =>
  createCoreClient({ ...options, transports: options.transports ?? [webSocket(), sse(), longPoll(), shortPoll()], memory: options.memory ?? indexedDbMemory() })

/** By url, for those who give no other client option. */
const shared = new Map<string, Client>()

function sharedClient(url: string | URL = '/jobs'): Client {
  const key = `${url}`
  const client = shared.get(key) ?? createClient({ url })
  shared.set(key, client)
  return client
}

/**
 * Follows a job: every retained event once, in order, until it has ended. Inert until the first `next()`, `onChange()` or `result`. Calls with the same
 * `url` and no other client option share one client, and so one connection.
 */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export function subscribe<E extends object = {}>(jobId: string, options: ClientOptions & SubscribeOptions = {}): Subscription<E> {
  const { after, signal, onGap, url, ...rest } = options
  const isPlain = Object.values(rest).every((value) => value === undefined)
  return (isPlain ? sharedClient(url) : createClient(options)).subscribe<E>(jobId, { after, signal, onGap })
}
