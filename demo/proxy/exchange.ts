import type { Faults } from './faults.ts'
import { type ExchangeKind, ending, flow, type Past, randomReset } from './policy.ts'
import { createValve, type Valve } from './valve.ts'

/** One request or WebSocket on its way through the proxy. */
export interface Exchange {
  readonly kind: ExchangeKind
  readonly isOver: boolean
  readonly valve: Valve
  /** Records that the answer's head has been sent. For an event stream, `kind` is `stream` from then on. */
  begin(kind?: ExchangeKind): void
  /** Replaces its faults, also while it runs. */
  apply(faults: Faults): void
  /** Ends it and releases everything. Does nothing the second time. */
  end(): void
  cut(hard?: boolean): void
}

export interface ExchangeOptions {
  kind: ExchangeKind
  faults: Faults
  /** When its connection was made. */
  bornAt: number
  /** Breaks the connection to the client. `hard`: by a reset. */
  cut(hard: boolean): void
  /** Answers like a gateway that has run out of patience. */
  timeout(): void
  onEnd(): void
}

/** Applies the faults to one exchange, from its first byte to its last. */
export function createExchange({ kind, faults, bornAt, cut, timeout, onEnd }: ExchangeOptions): Exchange {
  const valve = createValve()
  const startedAt = performance.now()
  const past: Omit<Past, 'lastByteAt'> = {
    kind,
    bornAt,
    startedAt,
    begunAt: Number.POSITIVE_INFINITY,
    resetAt: randomReset(faults.resetAfterMs, startedAt, Math.random)
  }
  let current = faults
  let isOver = false
  let timer: NodeJS.Timeout | undefined

  function refresh(): void {
    clearTimeout(timer)
    if (isOver) return
    const now = performance.now()
    const was = { ...past, lastByteAt: valve.lastPassedAt }
    const { mode, until } = flow(was, current, now)
    valve.set(mode, current.latencyMs)
    const { at, as } = ending(was, current)
    if (at <= now) {
      if (as === 'timeout') timeout()
      else exchange.cut(as === 'reset')
      return
    }
    const nextAt = Math.min(at, until)
    if (nextAt < Number.POSITIVE_INFINITY) timer = setTimeout(refresh, Math.max(1, Math.ceil(nextAt - now)))
  }

  const exchange: Exchange = {
    get kind() {
      return past.kind
    },
    get isOver() {
      return isOver
    },
    valve,
    begin(answerKind = past.kind) {
      past.kind = answerKind
      past.begunAt = performance.now()
      refresh()
    },
    apply(next) {
      if (next.resetAfterMs !== current.resetAfterMs) past.resetAt = randomReset(next.resetAfterMs, performance.now(), Math.random)
      current = next
      refresh()
    },
    end() {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      valve.stream.destroy()
      onEnd()
    },
    cut(hard = false) {
      if (isOver) return
      cut(hard)
      exchange.end()
    }
  }
  // Later, so that the caller has the exchange before `onEnd` can be called.
  queueMicrotask(refresh)
  return exchange
}
