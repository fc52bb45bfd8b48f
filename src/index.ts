/** jobtail: the public surface. */

import { jobtailBackend } from './backend/jobtail.ts'
import { createClient as createCoreClient } from './client.ts'
import { indexedDbMemory } from './memory/indexed-db.ts'
import { absolute, CLIENT, check, START, SUBSCRIBE } from './settings.ts'
import { longPoll, shortPoll } from './transports/poll.ts'
import { sse } from './transports/sse.ts'
import { webSocket } from './transports/websocket.ts'
import type { Client, ClientOptions, StartOptions, SubscribeOptions, Subscription } from './types.ts'

export { type ErrorCode, isJobtailError, JobFailedError, JobtailError, TransportError } from './errors.ts'
export { type Answer, fetchReading, type ReadingOptions } from './transports/http.ts'
export type * from './types.ts'
export { indexedDbMemory, longPoll, shortPoll, sse, webSocket }

/** A client for the jobs at one base URL. Inert until something is followed. */
export const createClient = ({
  backend = jobtailBackend([webSocket(), sse(), longPoll(), shortPoll()]),
  transports = backend?.transports ?? [], // a caller without types may give anything
  memory = indexedDbMemory(),
  ...rest
}: ClientOptions = {}): Client => createCoreClient({ ...rest, backend, transports, memory })

/** The clients of `subscribe` and `start`, the latest used first. One that is dropped goes on for as long as somebody follows a job by it. */
let shared: { options: object; client: Client }[] = []
const MAX_SHARED = 16

function sharedClient(given: ClientOptions): Client {
  const { url = '/jobs', headers } = given
  const options = { ...given, url: `${absolute(url) ?? url}` }
  // A copy: who changes a header of it and comes again is somebody else.
  if (headers?.constructor === Object) options.headers = { ...(headers as Record<string, string>) } // as: it is no list of pairs
  const known = shared.find((each) => isEqual(each.options, options, 2)) ?? { options, client: createClient(options) }
  shared = [known, ...shared.filter((each) => each !== known)].slice(0, MAX_SHARED)
  return known.client
}

/** By value down to that depth, for plain objects and lists; by identity for all else, functions above all: two closures may know of two users. */
function isEqual(a: unknown, b: unknown, depth: number): boolean {
  if (Object.is(a, b)) return true
  const kind = a?.constructor
  if (!depth || kind !== b?.constructor || (kind !== Object && kind !== Array)) return false
  const [one, other] = [Object(a), Object(b)]
  return Object.keys({ ...one, ...other }).every((key) => isEqual(one[key], other[key], depth - 1))
}

/**
 * Follows a job: every retained event once, in order, until it has ended. Inert until the first `next()`, `onChange()` or `result`. Calls with equal client
 * options share one client, and so one connection: strings by value, lists and plain objects by what is in them, functions and all else by identity. So a
 * `token` function is made once, outside of what is rendered again and again.
 * @throws JobtailError `bad-request`, for an option or an id that is none
 */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export function subscribe<E extends object = {}>(jobId: string, options: ClientOptions & SubscribeOptions = {}): Subscription<E> {
  check({ ...CLIENT, ...SUBSCRIBE }, options)
  const { after, signal, onGap, ...rest } = options
  return sharedClient(rest).subscribe<E>(jobId, { after, signal, onGap })
}

/** Starts a job with `POST {url}` and follows it, on the client that `subscribe` has for these options. Retried safely. */
// biome-ignore lint/complexity/noBannedTypes: the same
export async function start<E extends object = {}>(input: unknown, options: ClientOptions & StartOptions = {}): Promise<Subscription<E>> {
  check({ ...CLIENT, ...START }, options)
  const { after, signal, onGap, idempotencyKey, ...rest } = options
  return sharedClient(rest).start<E>(input, { after, signal, onGap, idempotencyKey })
}
