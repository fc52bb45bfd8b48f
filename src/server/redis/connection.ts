import { child, delay, onAbort, orAborted } from '../../async/signals.ts'
import { LogError } from '../log/types.ts'
import type { Client } from './client.ts'
import type { Origin } from './origin.ts'

/** One connection to Redis, made at its first use, and again whenever it is lost. */
export interface Connection {
  /** The client, once it is connected. Rejects with `unavailable` where Redis has been away for longer than `timeoutMs`, with `closed` after `close`. */
  client(): Promise<Client>
  /** What was asked of a client, or a rejection where it doesn't answer in time; with `closed` after `close`. */
  answer<T>(asked: Promise<T>): Promise<T>
  /** Connects anew in place of a client that doesn't do. */
  drop(client: Client, cause: unknown): void
  close(): void
}

export interface ConnectionOptions {
  origin: Origin
  /** A node of a cluster; default: those that are known from the start, in turn. */
  address?: string
  timeoutMs: number
  /** Called with each new client before it is anybody else's. */
  prepare?: (client: Client) => Promise<unknown>
  /** Called once it has been away for twice `timeoutMs`: nobody waits for it any more. */
  onGone?: () => void
}

const MIN_PAUSE_MS = 50
const MAX_PAUSE_MS = 1000

const messageOf = (error: unknown): string => {
  // Several addresses of one name, all of them refused: the message is empty, those of its errors aren't.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

export const closedError = (): LogError => new LogError('closed', 'the log is closed')
export const unavailable = (what: string, cause: unknown): LogError => new LogError('unavailable', `${what}: ${messageOf(cause)}`, { cause })

/** The promise's outcome, or a rejection after `ms`, or with the signal's reason. */
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
 * Each client lives as long as its socket. The client's own reconnecting would send again what was under way, keep what
 * was asked for meanwhile for as long as it takes, and subscribe anew without saying when that is done.
 */
export function createConnection({ origin, address, timeoutMs, prepare, onGone }: ConnectionOptions): Connection {
  const closing = new AbortController()
  const { signal } = closing
  let current: Client | undefined
  let lose: ((cause: unknown) => void) | undefined
  let awaySince = 0
  let cause: unknown = new Error('not connected yet')
  let arrival = Promise.withResolvers<Client>()
  let started = false

  async function keep(): Promise<void> {
    let pauseMs = MIN_PAUSE_MS
    let tried = 0
    while (!signal.aborted) {
      const lost = Promise.withResolvers<never>()
      lose = lost.reject
      lost.promise.catch(() => {}) // it is waited for below, where that comes to it
      const attempt = child(signal)
      const opening = open(tried, attempt.signal, lost.reject)
      tried += 1
      let next: Client | undefined
      try {
        next = await within(Promise.race([opening, lost.promise]), timeoutMs, signal)
        pauseMs = MIN_PAUSE_MS
        current = next
        arrival.resolve(next)
        await orAborted(Promise.race([lost.promise, watchOver(next)]), signal)
      } catch (error) {
        cause = error
      }
      if (current) {
        current = undefined
        arrival = Promise.withResolvers()
        awaySince = performance.now()
      }
      attempt.abort()
      attempt.release()
      if (performance.now() - awaySince > 2 * timeoutMs) onGone?.()
      await delay(pauseMs * (0.5 + Math.random() / 2), signal).catch(() => {}) // closed: the loop ends
      pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)
    }
  }

  /** A client that answers. It is destroyed once the signal aborts. */
  async function open(attempt: number, wanted: AbortSignal, onError: (error: unknown) => void): Promise<Client> {
    const client = await origin.open(address, attempt, { timeoutMs, onError })
    onAbort(wanted, () => client.destroy())
    // It may have been making its socket, and doesn't look again whether it is wanted.
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
    await client.command(['PING']) // refused while Redis is loading its data
    await prepare?.(client)
  }

  /** A connection can be dead without a word: rejects where it no longer answers. */
  async function watchOver(client: Client): Promise<never> {
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
        awaySince = performance.now()
        void keep()
      }
      const leftMs = awaySince + timeoutMs - performance.now()
      try {
        if (leftMs <= 0) throw cause
        return await within(arrival.promise, leftMs, signal)
      } catch {
        throw signal.aborted ? closedError() : unavailable(`Redis has been away for ${Math.round(performance.now() - awaySince)} ms`, cause)
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
      if (client === current) lose?.(reason)
    },
    close() {
      closing.abort()
      current?.destroy()
    }
  }
}
