import type { ByeReason } from '../protocol/frames.ts'
import { busy, closing } from './http-error.ts'
import { longTimeout } from './long-timeout.ts'
import type { ConnectionKind, Meter, MetricsStore } from './metrics.ts'
import type { Settings } from './server-options.ts'

/** What the server can do to an open reading. */
export interface Connection {
  bye(reason: ByeReason, retryMs: number): void
  /** Destroys the connection at once, with whatever is unsent. */
  destroy(): void
}

/** Counts the open readings against `maxReaders` and `maxReadersPerAddress`, and ends them at `close`. */
export class Connections {
  private readonly settings: Settings
  private readonly metrics: MetricsStore
  private readonly slots = new Set<ConnectionSlot>()
  private readonly awaitingAuthorize = new Set<() => void>()
  private readonly countByAddress = new Map<string, number>()
  private closed: PromiseWithResolvers<void> | undefined

  constructor(settings: Settings, metrics: MetricsStore) {
    this.settings = settings
    this.metrics = metrics
  }

  get closing(): boolean {
    return this.closed !== undefined
  }

  /** Takes a slot for a reading. Throws an `HttpError`: 503 where the server closes or has `maxReaders`, 429 where the address has too many. */
  admit(address: string | undefined, kind: ConnectionKind): ConnectionSlot {
    const { maxReaders, maxReadersPerAddress, maxConnectionAgeMs } = this.settings
    if (this.closing) throw closing()
    if (this.slots.size >= maxReaders) throw busy(503, `the server has ${maxReaders} open connections, its limit`, 5000)
    if (address !== undefined && (this.countByAddress.get(address) ?? 0) >= maxReadersPerAddress)
      throw busy(429, `this address has ${maxReadersPerAddress} open connections, its limit`, 5000)
    const slot = new ConnectionSlot(this, address, this.metrics.open(kind), maxConnectionAgeMs)
    this.slots.add(slot)
    this.count(address, 1)
    return slot
  }

  /**
   * Counts a socket that waits for `authorize` before it gets a slot. Returns a function that ends the wait; `destroy` is called where the server closes before
   * that. Throws an `HttpError` 503 where the server closes, or where `maxReaders` sockets wait already.
   */
  waitForAuthorize(destroy: () => void): () => void {
    if (this.closing) throw closing()
    if (this.awaitingAuthorize.size >= this.settings.maxReaders)
      throw busy(503, `${this.settings.maxReaders} connections wait for authorize already, the limit`, 5000)
    this.awaitingAuthorize.add(destroy)
    return () => void this.awaitingAuthorize.delete(destroy)
  }

  remove(slot: ConnectionSlot): void {
    if (!this.slots.delete(slot)) return
    slot.meter.close()
    this.count(slot.address, -1)
    if (this.slots.size === 0) this.closed?.resolve()
  }

  /** Says `bye` to every reading, and resolves when all have ended. Those that haven't after `graceMs` are destroyed. */
  async close(graceMs: number): Promise<void> {
    this.closed ??= Promise.withResolvers()
    if (this.slots.size === 0) this.closed.resolve()
    for (const destroy of this.awaitingAuthorize) destroy()
    const retryMs = this.reconnectSpreadMs()
    for (const { connection } of [...this.slots]) connection?.bye('shutdown', retryMs)
    const cancelDestroy = longTimeout(graceMs, () => {
      for (const { connection } of [...this.slots]) connection?.destroy()
    })
    await this.closed.promise
    cancelDestroy()
  }

  /** Over how many ms clients that get `bye` together should reconnect: a second for each thousand of them, from 1 to 30 s. */
  reconnectSpreadMs(): number {
    return Math.min(30_000, Math.max(1000, this.slots.size))
  }

  private count(address: string | undefined, change: 1 | -1): void {
    if (address === undefined) return
    const now = (this.countByAddress.get(address) ?? 0) + change
    if (now === 0) this.countByAddress.delete(address)
    else this.countByAddress.set(address, now)
  }
}

/** One reading's place among `maxReaders`, with the timers that end the reading. */
export class ConnectionSlot {
  readonly address: string | undefined
  readonly meter: Meter
  /** Set by `hold`. */
  connection: Connection | undefined
  private readonly connections: Connections
  private readonly maxAgeMs: number
  private expiresAt = Number.POSITIVE_INFINITY
  private cancelAge: (() => void) | undefined
  private cancelExpiry: (() => void) | undefined

  constructor(connections: Connections, address: string | undefined, meter: Meter, maxAgeMs: number) {
    this.connections = connections
    this.address = address
    this.meter = meter
    this.maxAgeMs = maxAgeMs
  }

  /** From now on the connection gets `bye` with `max-age`, `auth` and `shutdown`. */
  hold(connection: Connection): void {
    this.connection = connection
    if (this.connections.closing) connection.bye('shutdown', this.connections.reconnectSpreadMs())
    // Up to a tenth earlier, so that connections that were opened together don't all reconnect together.
    this.cancelAge = longTimeout(this.maxAgeMs * (1 - Math.random() / 10), () => connection.bye('max-age', 1000))
  }

  /** Says `bye` with `auth` at `time`, in ms since 1970. Of several times the earliest counts. */
  expireAt(time: number): void {
    if (time >= this.expiresAt) return
    this.expiresAt = time
    this.cancelExpiry?.()
    this.cancelExpiry = longTimeout(time - Date.now(), () => this.connection?.bye('auth', 0))
  }

  release(): void {
    this.expiresAt = Number.NEGATIVE_INFINITY // so that an answer of `authorize` that comes later sets no timer
    this.cancelAge?.()
    this.cancelExpiry?.()
    this.connections.remove(this)
  }
}
