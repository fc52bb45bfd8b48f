import type { ByeReason } from '../protocol/frames.ts'
import { alarm } from './alarm.ts'
import type { ConnectionKind, Meter, MetricsStore } from './metrics.ts'
import { busy, closing as isClosing } from './problem.ts'
import type { Settings } from './types.ts'

/** An open reading, as those see it who may end it. */
export interface Connection {
  bye(reason: ByeReason, retryMs: number): void
  /** Ends it now, whatever is unsent. */
  cut(): void
}

export interface Slot {
  readonly meter: Meter
  /** The connection that the slot was taken for: from now on it is told of `max-age` and `shutdown`. */
  hold(connection: Connection): void
  /** Ms since 1970, the earliest counts: then `bye` `auth`. */
  expireAt(time: number): void
  release(): void
}

export interface Connections {
  readonly closing: boolean
  /** Throws the refusal where the server, or the address, has too many. */
  admit(address: string | undefined, kind: ConnectionKind): Slot
  /** Resolves when all are over; those that aren't after `graceMs` are cut. */
  close(graceMs: number): Promise<void>
}

/** Counts the open readings, and ends them when their time has come. */
export function createConnections({ maxConnections, maxConnectionsPerAddress, maxConnectionAgeMs }: Settings, metrics: MetricsStore): Connections {
  const slots = new Map<Slot, Connection | undefined>()
  const byAddress = new Map<string, number>()
  let closing: PromiseWithResolvers<void> | undefined

  function count(address: string | undefined, change: 1 | -1): void {
    if (address === undefined) return
    const now = (byAddress.get(address) ?? 0) + change
    if (now === 0) byAddress.delete(address)
    else byAddress.set(address, now)
  }

  /** Everybody who is sent away together comes back over a second for each thousand of them. */
  const spreadMs = () => Math.min(30_000, Math.max(1000, slots.size))

  function admit(address: string | undefined, kind: ConnectionKind): Slot {
    if (closing) throw isClosing()
    if (slots.size >= maxConnections) throw busy(503, 'the server has too many connections', 5000)
    if (address !== undefined && (byAddress.get(address) ?? 0) >= maxConnectionsPerAddress) throw busy(429, 'too many connections from one address', 5000)
    let cancelAge = () => {}
    let cancelExpiry = () => {}
    let expiresAt = Number.POSITIVE_INFINITY
    const meter = metrics.open(kind)
    const slot: Slot = {
      meter,
      hold(connection) {
        slots.set(slot, connection)
        if (closing) connection.bye('shutdown', spreadMs())
        // Up to a tenth earlier, so that connections that came together don't leave together.
        cancelAge = alarm(maxConnectionAgeMs * (1 - Math.random() / 10), () => connection.bye('max-age', 1000))
      },
      expireAt(time) {
        if (time >= expiresAt) return
        expiresAt = time
        cancelExpiry()
        cancelExpiry = alarm(time - Date.now(), () => slots.get(slot)?.bye('auth', 0))
      },
      release() {
        cancelAge()
        cancelExpiry()
        if (!slots.delete(slot)) return
        meter.close()
        count(address, -1)
        if (slots.size === 0) closing?.resolve()
      }
    }
    slots.set(slot, undefined)
    count(address, 1)
    return slot
  }

  async function close(graceMs: number): Promise<void> {
    closing ??= Promise.withResolvers()
    if (slots.size === 0) closing.resolve()
    const retryMs = spreadMs()
    for (const connection of [...slots.values()]) connection?.bye('shutdown', retryMs)
    const cancelCut = alarm(graceMs, () => {
      for (const connection of [...slots.values()]) connection?.cut()
    })
    await closing.promise
    cancelCut()
  }

  return {
    get closing() {
      return closing !== undefined
    },
    admit,
    close
  }
}
