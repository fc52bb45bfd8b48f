/** The proxy's state, as `/_proxy` tells it. */
export interface NetworkState {
  faults: { webSocket: string; bufferStreams: boolean; requestLimitMs: number }
  awayMs: number
}

/** What is asked of the proxy. */
export interface NetworkChange {
  faults?: Partial<NetworkState['faults']>
  cut?: true
  awayMs?: number
}

/** The network between this page and the jobs, which the demo's proxy breaks. */
export interface Network {
  /** Changes something, or, without an argument, only asks for the state. Never rejects: listeners are told. */
  change(change?: NetworkChange): Promise<void>
  /** Calls `listener` with each state; with `undefined` where the demo server doesn't answer. */
  onChange(listener: (state: NetworkState | undefined) => void): void
}

export const mended: NetworkChange = { faults: { webSocket: 'pass', bufferStreams: false, requestLimitMs: 0 }, awayMs: 0 }

export const isBroken = ({ faults, awayMs }: NetworkState): boolean =>
  awayMs > 0 || faults.webSocket !== 'pass' || faults.bufferStreams || faults.requestLimitMs > 0

/** Asks for the state at once, when the page is seen again, and when the server is back. */
export function createNetwork(): Network {
  const listeners: ((state: NetworkState | undefined) => void)[] = []
  let backTimer: ReturnType<typeof setTimeout> | undefined

  async function change(wanted?: NetworkChange): Promise<void> {
    const init = wanted && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(wanted) }
    let state: NetworkState | undefined
    try {
      state = (await (await fetch('/_proxy', init)).json()) as NetworkState // as: our own server's
    } catch {
      state = undefined // the demo server is gone: that is what the listeners are told
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
