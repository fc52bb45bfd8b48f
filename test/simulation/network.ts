/** The simulated path between pages and server: bytes take time, arrive in pieces, and are lost in every way. */

import { clock } from './clock.ts'
import { type ClientEnd, type Connection, createConnection, type Request } from './connection.ts'
import { isHit, type Kind, type PathFault, type Target } from './faults.ts'

/** A fault of the path while it lasts. */
export interface Window {
  fault: PathFault
  target: Target
  until: number
  amount: number
  hit(kind: Kind): void
}

export interface Network {
  readonly open: ReadonlySet<Connection>
  /** Every connection that was opened. */
  readonly opened: readonly Connection[]
  /** `accept`: what answers, if not the server. */
  connect(kind: Kind, client: number, request: Request, end: ClientEnd, accept?: NetworkOptions['accept']): Connection
  add(window: Window): void
  /** Ends every fault. */
  heal(): void
  windowFor(kind: Kind, ...faults: PathFault[]): Window | undefined
  /** Whether bytes are delayed. */
  isHampered(): boolean
}

export interface NetworkOptions {
  random: () => number
  latencyMs: number
  jitterMs: number
  /** Into how many pieces a write is cut, at most. */
  pieces: number
  trace(what: string): void
  accept(connection: Connection): void
  /** How long a request takes to the server, beside the latency. */
  farMs: number
  /** Whether some readers begin at a cursor. */
  hasStarts: boolean
  /** An intermediary has answered, and possibly asked for a pause. */
  onInstead(connection: Connection, status: number, retryAfterMs: number): void
  /** Bytes have arrived after bytes that were sent later to the same client on another connection. */
  onOvertaken(kind: Kind): void
}

export function createNetwork(options: NetworkOptions): Network {
  const open = new Set<Connection>()
  const opened: Connection[] = []
  let windows: Window[] = []
  /** How to release what a stall holds. */
  const stalled = new Set<() => void>()
  /** By client: when the newest of the arrived bytes were sent. */
  const arrived = new Map<number, number>()

  function windowFor(kind: Kind, ...faults: PathFault[]): Window | undefined {
    return windows.find(({ fault, target, until }) => faults.includes(fault) && until > clock.now && isHit(target, kind))
  }

  function connect(kind: Kind, client: number, request: Request, end: ClientEnd, accept = options.accept): Connection {
    return createConnection({
      ...options,
      ...{ kind, client, request, end, accept, windowFor, stalled },
      number: opened.length,
      onOpened(connection) {
        open.add(connection)
        opened.push(connection)
      },
      onDelivered(sentAt) {
        if (sentAt < (arrived.get(client) ?? 0)) options.onOvertaken(kind)
        else arrived.set(client, sentAt)
      },
      onClosed: (connection) => void open.delete(connection)
    })
  }

  return {
    open,
    opened,
    connect,
    add(window) {
      windows.push(window)
    },
    heal() {
      windows = []
      for (const goOn of [...stalled]) goOn()
    },
    windowFor,
    isHampered: () => windows.some(({ fault, until }) => (fault === 'stalled' || fault === 'slow-path') && until > clock.now)
  }
}
