/** jobtail: the public surface. */

import { jobtailBackend } from './backend/jobtail.ts'
import { createClient as createCoreClient } from './client.ts'
import { headersOf } from './credentials.ts'
import { indexedDbMemory } from './memory/indexed-db.ts'
import { absolute, CLIENT_RULES, checkOptions, START_RULES, SUBSCRIBE_RULES } from './settings.ts'
import { longPoll, shortPoll } from './transports/poll.ts'
import { sse } from './transports/sse.ts'
import { webSocket } from './transports/websocket.ts'
import type { Client, ClientOptions, StartOptions, SubscribeOptions, Subscription } from './types.ts'

export { observe } from './diagnostics.ts'
export { type ErrorCode, isJobtailError, JobFailedError, JobtailError, TransportError } from './errors.ts'
export { initialState, reduceJob } from './reduce.ts'
export { type Answer, fetchReading, type ReadingOptions } from './transports/http.ts'
export type * from './types.ts'
export { indexedDbMemory, longPoll, shortPoll, sse, webSocket }

/**
 * Makes a client for the jobs at one base URL. It makes no request before a job is followed or started.
 * @throws JobtailError `bad-request` for an invalid option
 */
export function createClient(options: ClientOptions = {}): Client {
  checkOptions(CLIENT_RULES, options)
  const {
    backend = jobtailBackend([webSocket(), sse(), longPoll(), shortPoll()]),
    transports = backend.transports,
    memory = indexedDbMemory(),
    jobStorage = indexedDbMemory()
  } = options
  return createCoreClient({ ...options, backend, transports, memory, jobStorage })
}

/** The clients of `subscribe` and `start`, the latest used first. One that is dropped goes on for as long as somebody follows a job with it. */
let shared: { options: object; client: Client }[] = []
const MAX_SHARED = 16

/**
 * The client that `subscribe` and `start` use for the same options.
 * @throws JobtailError `bad-request` for an invalid option
 */
export function sharedClient(given: ClientOptions = {}): Client {
  checkOptions(CLIENT_RULES, given)
  const { url = '/jobs', headers } = given
  const options = { ...given, url: `${absolute(url) ?? url}` }
  // A copy: a caller who changes a header of the object and calls again gets another client.
  if (headers && typeof headers !== 'function') options.headers = Object.fromEntries(headersOf(headers))
  const known = shared.find((each) => isEqual(each.options, options, 2)) ?? { options, client: createClient(options) }
  shared = [known, ...shared.filter((each) => each !== known)].slice(0, MAX_SHARED)
  return known.client
}

/**
 * Compares plain objects and lists by value, down to `depth`, and everything else by identity. Two functions are never equal: two closures
 * may know two users.
 */
function isEqual(a: unknown, b: unknown, depth: number): boolean {
  if (Object.is(a, b)) return true
  const kind = a?.constructor
  if (!depth || kind !== b?.constructor || (kind !== Object && kind !== Array)) return false
  const [one, other] = [Object(a), Object(b)]
  return Object.keys({ ...one, ...other }).every((key) => isEqual(one[key], other[key], depth - 1))
}

/**
 * Follows a job: every retained event once, in order, until the job has ended. No request is made before the first `next()`, `onChange()`
 * or `result`.
 *
 * Calls with equal client options share one client, and so one connection. Strings, numbers and booleans are compared by value; plain
 * objects, lists and headers by their members; functions and everything else by identity. So make a `token` function once, outside of what is
 * rendered again and again. The sixteen clients used last are kept.
 * @throws JobtailError `bad-request`, synchronously, for an invalid option or job id
 */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export function subscribe<E extends object = {}>(jobId: string, options: ClientOptions & SubscribeOptions = {}): Subscription<E> {
  const [client, own] = split(options, SUBSCRIBE_RULES)
  return client.subscribe<E>(jobId, own)
}

/**
 * Starts a job with `POST {url}` and `input` as JSON, and follows it, on the client that `subscribe` uses for the same options. The request
 * is repeated until it is answered; its `Idempotency-Key` makes that safe.
 * @throws JobtailError as `Client.start` does
 */
// biome-ignore lint/complexity/noBannedTypes: the same
export async function start<E extends object = {}>(input: unknown, options: ClientOptions & StartOptions = {}): Promise<Subscription<E>> {
  const [client, own] = split(options, START_RULES)
  return client.start<E>(input, own)
}

/** The client of these options, and those that are not the client's. */
function split<O extends object>(options: O, rules: Readonly<Record<string, string>>): [Client, O] {
  checkOptions({ ...CLIENT_RULES, ...rules }, options)
  const part = (isOwn: boolean): O => Object.fromEntries(Object.entries(options).filter(([name]) => name in rules === isOwn)) as O // as: some of the options
  return [sharedClient(part(false)), part(true)]
}
