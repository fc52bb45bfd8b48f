/** The proxy's state, as `GET /_proxy` answers. */
export interface NetworkState {
  faults: { webSocket: string; bufferStreams: boolean; requestLimitMs: number }
  awayMs: number
}

/** A change of the proxy's state, the body of `POST /_proxy`. */
export interface NetworkChange {
  faults?: Partial<NetworkState['faults']>
  cut?: true
  awayMs?: number
}

/** The network between this page and the job server. The demo's proxy breaks it. */
export interface Network {
  /** Changes the proxy's state; without an argument it only reads it. Never rejects: listeners get `undefined`. */
  change(change?: NetworkChange): Promise<void>
  /** Calls `listener` with each state that is read, and with `undefined` when the demo server doesn't answer. */
  onChange(listener: (state: NetworkState | undefined) => void): void
}

export const mended: NetworkChange = { faults: { webSocket: 'pass', bufferStreams: false, requestLimitMs: 0 }, awayMs: 0 }

export const isBroken = ({ faults, awayMs }: NetworkState): boolean =>
  awayMs > 0 || faults.webSocket !== 'pass' || faults.bufferStreams || faults.requestLimitMs > 0

/** Also reads the state by itself, when the page becomes visible and when the server should be back. */
export function createNetwork(): Network {
  const listeners: ((state: NetworkState | undefined) => void)[] = []
  let backTimer: ReturnType<typeof setTimeout> | undefined

  async function change(wanted?: NetworkChange): Promise<void> {
    const init = wanted && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(wanted) }
    let state: NetworkState | undefined
    try {
      state = (await (await fetch('/_proxy', init)).json()) as NetworkState // as: our own server's
    } catch {
      state = undefined // the demo server doesn't answer
    }
    clearTimeout(backTimer)
    if (state && state.awayMs > 0) backTimer = setTimeout(() => void change(), state.awayMs + 50)
    for (const listener of listeners) listener(state)
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void change()
  })
  return {
    change,
    onChange(listener) {
      listeners.push(listener)
    }
  }
}
