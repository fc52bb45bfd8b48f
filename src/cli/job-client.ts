/** Requests of the command line: through a proxy where the environment names one, and with a record of whether any server has ever answered. */

import { WebSocket } from 'ws'
import { isTransportError, messageOf } from '../errors.ts'
import { place } from '../protocol/urls.ts'
import type { ClientOptions } from '../types.ts'
import { EXIT, Exit } from './exit-codes.ts'
import { networkReason } from './network.ts'
import type { Route } from './proxy.ts'

export interface TrackedConnection {
  fetch: typeof fetch
  WebSocket: NonNullable<ClientOptions['WebSocket']>
  /** Whether any request was answered, with whatever status. */
  hasAnswered(): boolean
  /** Why the last request got no answer; `''` where it got one. */
  reason(): string
  /** The `Exit` for a server that can't be reached. */
  unreachable(): Exit
}

export interface TrackedConnectionOptions {
  base: URL
  route: Route
  /** Called with each answer. */
  onAnswer?: (response: Response) => void
  /** Called for each request that got no answer. */
  onNetworkError?: () => void
}

export function trackConnection({ base, route, onAnswer, onNetworkError }: TrackedConnectionOptions): TrackedConnection {
  let hasAnswered = false
  let reason = ''

  class Socket extends WebSocket {
    constructor(url: string | URL, protocols?: string[]) {
      super(url, protocols, { agent: route.agent })
      this.once('open', () => {
        hasAnswered = true
      })
    }
  }

  return {
    async fetch(...request) {
      try {
        const response = await route.fetch(...request)
        hasAnswered = true
        reason = ''
        onAnswer?.(response)
        return response
      } catch (error) {
        if (error instanceof TypeError) {
          reason = networkReason(error) // `fetch` rejects with a TypeError for network errors; anything else is the request's own abort
          onNetworkError?.()
        }
        throw error
      }
    },
    WebSocket: Socket as unknown as typeof globalThis.WebSocket, // as: `ws` implements the same interface under types of its own
    hasAnswered: () => hasAnswered,
    reason: () => reason,
    unreachable() {
      const by = route.proxy ? ` by the proxy ${route.proxy.host}` : ''
      return new Exit(EXIT.unavailable, `cannot reach ${place(base)}${by}: ${reason || 'no answer'}`)
    }
  }
}

/**
 * The message of a failed request. The client's own message lists what may be wrong (CORS, mixed content), since browsers hide the cause; Node tells it, so
 * that it replaces the list.
 */
export function failureOf(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (isTransportError(each) && each.reason === 'network') return messageOf(each).replace(/\(network,.*\)/, `(${networkReason(each.cause)})`)
  }
  return messageOf(error)
}
