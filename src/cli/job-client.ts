/** The client's requests from a terminal: through a proxy where one is named, given up at once where nothing ever answered, and told of in a line. */

import { WebSocket } from 'ws'
import { isTransportError, messageOf } from '../errors.ts'
import { place } from '../protocol/urls.ts'
import type { ClientOptions } from '../types.ts'
import { EXIT, Exit } from './exit-codes.ts'
import { reasonOf } from './network.ts'
import type { Route } from './proxy.ts'

export interface Reachable {
  fetch: typeof fetch
  WebSocket: NonNullable<ClientOptions['WebSocket']>
  /** Somebody has answered, whatever it was. */
  hasAnswered(): boolean
  /** What kept the last request from an answer; '' where it had one. */
  reason(): string
  /** To end with where nothing answers. */
  unreachable(): Exit
}

export interface ReachableOptions {
  base: URL
  route: Route
  /** Told of each answer. */
  onAnswer?: (response: Response) => void
  /** Told of a request that nothing answered. */
  onSilence?: () => void
}

export function createReachable({ base, route, onAnswer, onSilence }: ReachableOptions): Reachable {
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
          reason = reasonOf(error) // what else ends a request is its own signal
          onSilence?.()
        }
        throw error
      }
    },
    WebSocket: Socket as unknown as typeof globalThis.WebSocket, // as: it is one, under types of its own
    hasAnswered: () => hasAnswered,
    reason: () => reason,
    unreachable() {
      const by = route.proxy ? ` by the proxy ${route.proxy.host}` : ''
      return new Exit(EXIT.unavailable, `cannot reach ${place(base)}${by}: ${reason || 'no answer'}`)
    }
  }
}

/** What a request failed with. A page can't know why there was no answer, and names what it may be; here it is known. */
export function failureOf(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (isTransportError(each) && each.reason === 'network') return messageOf(each).replace(/\(network,.*\)/, `(${reasonOf(each.cause)})`)
  }
  return messageOf(error)
}
