/** Options of `connect`, and their checks. */

import type { Transport as ConnectTransport } from '@connectrpc/connect'
import { MAX_TIMER_MS } from '../async/bounds.ts'
import { checkOptions, invalid } from '../settings.ts'

/** What a function that makes a Connect transport is given: options that `createConnectTransport` and `createGrpcWebTransport` take. */
export interface TransportOptions {
  /** Where the service is. */
  baseUrl: string
  /** `true`: Protobuf rather than JSON. A function of one's own may leave it out. */
  useBinaryFormat: true
  /** The client's `fetch`, with its `credentials`. It tells an answer of the service from one of an intermediary, and follows no redirect. */
  fetch: typeof fetch
}

/** Options of `connect`. */
export interface ConnectOptions {
  /**
   * How calls are made: `createConnectTransport` or `createGrpcWebTransport` of `@connectrpc/connect-web`; or a function that calls one of them with further
   * options, such as interceptors; or a transport, whose `baseUrl`, `fetch` and credentials are then its own.
   */
  transport: ConnectTransport | ((options: TransportOptions) => ConnectTransport)
  /**
   * Where the service is, relative to the client's `url`: `{baseUrl}/jobtail.v1.JobService/Follow`.
   * @defaultValue the client's `url`
   */
  baseUrl?: string | undefined
  /**
   * How long one call that follows jobs may last, in ms, 1 to 2³¹ − 1: the deadline that it is sent with. The next call then goes on from the last event.
   * @defaultValue no deadline
   */
  timeoutMs?: number | undefined
}

const RULES = { transport: 'function or object with methods unary, stream', baseUrl: 'string', timeoutMs: 'number from 1' }

/**
 * Checks the options, and limits the time to what a timer can wait.
 * @throws JobtailError `bad-request` for an invalid one
 */
export function settingsOf(options: ConnectOptions): ConnectOptions {
  checkOptions(RULES, Object(options))
  const { transport, timeoutMs } = Object(options) as ConnectOptions // as: checked above, but for what is missing
  if (!transport) throw invalid('transport', RULES.transport, transport)
  return { ...options, timeoutMs: timeoutMs && Math.min(timeoutMs, MAX_TIMER_MS) }
}
