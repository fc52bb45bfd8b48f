/** Follows a job in a terminal. */

import { WebSocket } from 'ws'
import { isJobtailError } from '../errors.ts'
import { createClient, longPoll, shortPoll, sse, webSocket } from '../index.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Diagnostic, JobEvent, Transport } from '../types.ts'
import { reasonOf } from './network.ts'

export interface FollowOptions {
  /** `{base}`. */
  url: URL
  job: string
  after?: string | undefined
  token?: string | undefined
  headers?: Readonly<Record<string, string>> | undefined
  /** Transports by name. Default: all. */
  only?: readonly string[] | undefined
}

export interface Follower {
  /** Told each event, in order, and what the connection does. */
  event(event: JobEvent): void
  diagnostic?: ((diagnostic: Diagnostic) => void) | undefined
}

export type Ending = { status: 'succeeded' | 'failed' | 'cancelled' } | { status: 'detached' } | { status: 'lost'; message: string }

/** A server that can't be reached is given up after so many rounds in a row: about half a minute. */
const ATTEMPTS = 8

/** Resolves when the job has ended, when it can't be followed, or when the signal aborts. */
export async function follow(
  { url, job, after, token, headers = {}, only }: FollowOptions,
  { event, diagnostic }: Follower,
  signal: AbortSignal
): Promise<Ending> {
  const transports = [webSocket(), sse(), longPoll(), shortPoll()].filter(({ name }: Transport) => !only || only.includes(name))
  /** Of the last request. */
  let reason = ''
  const client = createClient({
    async fetch(...request) {
      reason = ''
      try {
        return await fetch(...request)
      } catch (error) {
        if (error instanceof TypeError) reason = ` (${reasonOf(error)})` // what else ends a request is its own signal
        throw error
      }
    },
    url,
    token,
    headers,
    transports,
    memory: false,
    retry: { attempts: ATTEMPTS },
    onDiagnostic: diagnostic,
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket // as: it is one, under types of its own
  })
  const subscription = client.subscribe(job, { after, signal })
  try {
    for await (const each of subscription) event(each)
    const { status } = subscription.state
    return isTerminal(status) ? { status } : { status: 'lost', message: `job ${job}: how it ended is not known` }
  } catch (error) {
    if (signal.aborted) return { status: 'detached' }
    if (!isJobtailError(error)) throw error
    return { status: 'lost', message: error.message + (error.code === 'unreachable' ? reason : '') }
  } finally {
    client.close()
  }
}
