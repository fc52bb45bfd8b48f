import type { ByeReason } from '../protocol/frames.ts'
import { busy, closing } from './http-error.ts'
import { longTimeout } from './long-timeout.ts'
import type { ConnectionKind, Meter, MetricsStore } from './metrics.ts'
import type { Settings } from './types.ts'

/** An open reading, as those see it who may end it. */
export interface Connection {
  bye(reason: ByeReason, retryMs: number): void
  /** Ends it now, whatever is unsent. */
  cut(): void
}

/** Counts the open readings, and ends them when their time has come. */
export class Connections {
  private readonly settings: Settings
  private readonly metrics: MetricsStore
  private readonly slots = new Set<ConnectionSlot>()
  private readonly waiting = new Set<() => void>()
  private readonly byAddress = new Map<string, number>()
  private closed: PromiseWithResolvers<void> | undefined

  constructor(settings: Settings, metrics: MetricsStore) {
    this.settings = settings
    this.metrics = metrics
  }

  get closing(): boolean {
    return this.closed !== undefined
  }

  /** Throws the refusal where the server, or the address, has too many. */
  admit(address: string | undefined, kind: ConnectionKind): ConnectionSlot {
    const { maxReaders, maxReadersPerAddress, maxConnectionAgeMs } = this.settings
    if (this.closing) throw closing()
    if (this.slots.size >= maxReaders) throw busy(503, 'the server has too many connections', 5000)
    if (address !== undefined && (this.byAddress.get(address) ?? 0) >= maxReadersPerAddress) throw busy(429, 'too many connections from one address', 5000)
    const slot = new ConnectionSlot(this, address, this.metrics.open(kind), maxConnectionAgeMs)
    this.slots.add(slot)
    this.count(address, 1)
    return slot
  }

  /** For who waits for the permission to be admitted. Returns how that ends; `cut` is called where the server closes before. Throws the refusal where too many do. */
  wait(cut: () => void): () => void {
    if (this.closing) throw closing()
    if (this.waiting.size >= this.settings.maxReaders) throw busy(503, 'too many connections wait to be admitted', 5000)
    this.waiting.add(cut)
    return () => void this.waiting.delete(cut)
  }

  leave(slot: ConnectionSlot): void {
    if (!this.slots.delete(slot)) return
    slot.meter.close()
    this.count(slot.address, -1)
    if (this.slots.size === 0) this.closed?.resolve()
  }

  /** Resolves when all are over; those that aren't after `graceMs` are cut. */
  async close(graceMs: number): Promise<void> {
    this.closed ??= Promise.withResolvers()
    if (this.slots.size === 0) this.closed.resolve()
    for (const cut of this.waiting) cut()
    const retryMs = this.spreadMs()
    for (const { connection } of [...this.slots]) connection?.bye('shutdown', retryMs)
    const cancelCut = longTimeout(graceMs, () => {
      for (const { connection } of [...this.slots]) connection?.cut()
    })
    await this.closed.promise
    cancelCut()
  }

  /** Everybody who is sent away together comes back over a second for each thousand of them. */
  spreadMs(): number {
    return Math.min(30_000, Math.max(1000, this.slots.size))
  }

  private count(address: string | undefined, change: 1 | -1): void {
    if (address === undefined) return
    const now = (this.byAddress.get(address) ?? 0) + change
    if (now === 0) this.byAddress.delete(address)
    else this.byAddress.set(address, now)
  }
}

/** An open reading's place among all. */
export class ConnectionSlot {
  readonly address: string | undefined
  readonly meter: Meter
  /** What it was taken for, once there is that. */
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

  /** From now on the connection is told of `max-age`, `auth` and `shutdown`. */
  hold(connection: Connection): void {
    this.connection = connection
    if (this.connections.closing) connection.bye('shutdown', this.connections.spreadMs())
    // Up to a tenth earlier, so that connections that came together don't leave together.
    this.cancelAge = longTimeout(this.maxAgeMs * (1 - Math.random() / 10), () => connection.bye('max-age', 1000))
  }

  /** Ms since 1970, the earliest counts: then `bye` `auth`. */
  expireAt(time: number): void {
    if (time >= this.expiresAt) return
    this.expiresAt = time
    this.cancelExpiry?.()
    this.cancelExpiry = longTimeout(time - Date.now(), () => this.connection?.bye('auth', 0))
  }

  release(): void {
    this.expiresAt = Number.NEGATIVE_INFINITY // a permission that comes later sets no alarm
    this.cancelAge?.()
    this.cancelExpiry?.()
    this.connections.leave(this)
  }
}
