import { child, delay, onAbort, orAborted } from '../../async/signals.ts'
import { closedError } from '../log/log-errors.ts'
import { LogError } from '../log/types.ts'
import type { Client } from './client.ts'
import type { ClientFactory } from './client-factory.ts'

/** A connection to Redis. It is made at its first use, and made anew whenever it is lost. */
export interface Connection {
  /** Resolves with a connected client. Rejects with `unavailable` where there was none for `timeoutMs`, and with `closed` after `close`. */
  client(): Promise<Client>
  /** The outcome of a command. Rejects where there is none within `timeoutMs`, and with `closed` after `close`. */
  answer<T>(command: Promise<T>): Promise<T>
  /** Replaces a client that has failed by a new one. */
  drop(client: Client, cause: unknown): void
  close(): void
}

export interface ConnectionOptions {
  clients: ClientFactory
  /** The `host:port` of a cluster's node. Default: the nodes given by the user, in turn. */
  address?: string
  timeoutMs: number
  /** Called with each new client before anybody else gets it. */
  prepare?: (client: Client) => Promise<unknown>
  /** Called where there was no connection for twice `timeoutMs`: every call that waited for it has been rejected by then. */
  onGone?: () => void
}

const MIN_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000

const messageOf = (error: unknown): string => {
  // Node tries every address of a host name, and rejects with an AggregateError of an empty message where all refuse.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

export const unavailable = (what: string, cause: unknown): LogError => new LogError('unavailable', `${what}: ${messageOf(cause)}`, { cause })

/** The promise's outcome. Rejects after `ms`, and with the signal's reason once that is aborted. */
async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const over = child(signal)
  const late = delay(ms, over.signal).then(() => {
    throw new Error(`no answer within ${ms} ms`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    over.abort()
    over.release()
  }
}

/**
 * Makes a new client for every new socket, in place of the libraries' own reconnecting. Those send a command that was under way a second time, queue commands
 * without a limit, and resubscribe without saying when that is done.
 */
export function createConnection({ clients, address, timeoutMs, prepare, onGone }: ConnectionOptions): Connection {
  const closing = new AbortController()
  const { signal } = closing
  let current: Client | undefined
  let loseCurrent: ((cause: unknown) => void) | undefined
  let disconnectedAt = 0
  let cause: unknown = new Error('not connected yet')
  let nextClient = Promise.withResolvers<Client>()
  let started = false

  async function connectLoop(): Promise<void> {
    let pauseMs = MIN_PAUSE_MS
    let attempts = 0
    while (!signal.aborted) {
      const lost = Promise.withResolvers<never>()
      loseCurrent = lost.reject
      lost.promise.catch(() => {}) // the races below reject with it, if they are reached
      const attempt = child(signal)
      const opening = open(attempts, attempt.signal, lost.reject)
      attempts += 1
      let next: Client | undefined
      try {
        next = await within(Promise.race([opening, lost.promise]), timeoutMs, signal)
        pauseMs = MIN_PAUSE_MS
        current = next
        nextClient.resolve(next)
        await orAborted(Promise.race([lost.promise, pingLoop(next)]), signal)
      } catch (error) {
        cause = error
      }
      if (current) {
        current = undefined
        nextClient = Promise.withResolvers()
        disconnectedAt = performance.now()
      }
      attempt.abort()
      attempt.release()
      if (performance.now() - disconnectedAt > 2 * timeoutMs) onGone?.()
      await delay(pauseMs * (0.5 + Math.random() / 2), signal).catch(() => {}) // aborted: the loop ends
      pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)
    }
  }

  /** Opens a client, and resolves once it answers. The client is destroyed once `wanted` is aborted. */
  async function open(attempt: number, wanted: AbortSignal, onError: (error: unknown) => void): Promise<Client> {
    const client = await clients.open(address, attempt, { timeoutMs, onError })
    onAbort(wanted, () => client.destroy())
    // A client that is destroyed while it connects may connect nevertheless: destroy it again after that.
    return connect(client)
      .then(
        () => client,
        (error) => {
          client.destroy()
          throw error
        }
      )
      .finally(() => !wanted.aborted || client.destroy())
  }

  async function connect(client: Client): Promise<void> {
    await client.connect()
    await client.command(['PING']) // fails while Redis loads its data
    await prepare?.(client)
  }

  /** Pings each `timeoutMs`, and rejects where no answer comes: a connection can die without its socket being closed. */
  async function pingLoop(client: Client): Promise<never> {
    for (;;) {
      await delay(timeoutMs, signal)
      if (current !== client) throw cause
      await within(client.command(['PING']), timeoutMs, signal)
    }
  }

  return {
    async client() {
      if (signal.aborted) throw closedError()
      if (current) return current
      if (!started) {
        started = true
        disconnectedAt = performance.now()
        void connectLoop()
      }
      const leftMs = disconnectedAt + timeoutMs - performance.now()
      try {
        if (leftMs <= 0) throw cause
        return await within(nextClient.promise, leftMs, signal)
      } catch {
        throw signal.aborted ? closedError() : unavailable(`Redis has been unreachable for ${Math.round(performance.now() - disconnectedAt)} ms`, cause)
      }
    },
    async answer(asked) {
      try {
        return await within(asked, timeoutMs, signal)
      } catch (error) {
        throw signal.aborted ? closedError() : error
      }
    },
    drop(client, reason) {
      if (client === current) loseCurrent?.(reason)
    },
    close() {
      closing.abort()
      current?.destroy()
    }
  }
}
