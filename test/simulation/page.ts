/** The page of the clients: its events, its visibility and network, and its listeners. */

import { clock } from './clock.ts'

type Listener = (event: { type: string }) => void

/** Replaces Node's EventTarget. That one keeps only the last of several removals by one signal, once the garbage collector has run. */
function createTarget() {
  const listeners = new Set<{ type: string; listener: Listener }>()
  return {
    listeners,
    addEventListener(type: string, listener: Listener, { signal }: { signal?: AbortSignal } = {}): void {
      if (signal?.aborted) return
      const own = { type, listener }
      listeners.add(own)
      signal?.addEventListener('abort', () => listeners.delete(own), { once: true })
    },
    removeEventListener(type: string, listener: Listener): void {
      for (const each of listeners) if (each.type === type && each.listener === listener) listeners.delete(each)
    },
    dispatch(type: string): void {
      for (const each of [...listeners]) if (each.type === type && listeners.has(each)) each.listener({ type })
    }
  }
}
type Target = ReturnType<typeof createTarget>

const window = createTarget()
const document = { ...createTarget(), hidden: false }
const connection = { ...createTarget(), type: undefined as string | undefined }
const navigator = { onLine: true, connection }

/** Whether the page is put away or asleep, and runs nothing. */
let isAway = false
/** How to end each of the faults of the page. */
const returns = new Set<() => void>()

/** Ends a fault after so many ms, or at once when all are ended. */
function later(ms: number, back: () => void): void {
  const run = (): void => {
    if (!returns.delete(run)) return
    callOff()
    back()
  }
  const callOff = clock.after(ms, run)
  returns.add(run)
}

/** Dispatches an event as a task, after those that were held back. */
const tell = (target: Target, type: string): void => void clock.after(0, () => clock.ofPage(() => target.dispatch(type)))

export const page = {
  install(): void {
    const { addEventListener, removeEventListener } = window
    Object.assign(globalThis, { document, addEventListener, removeEventListener })
    Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true })
  },
  reset(origin: string): void {
    returns.clear()
    isAway = false
    document.hidden = false
    navigator.onLine = true
    connection.type = undefined
    for (const { listeners } of [window, document, connection]) listeners.clear()
    Object.assign(globalThis, { location: new URL(origin) })
  },
  get isAway(): boolean {
    return isAway
  },
  get isHidden(): boolean {
    return document.hidden
  },
  get listeners(): string[] {
    return [window, document, connection].flatMap(({ listeners }) => [...listeners].map(({ type }) => type))
  },
  goOffline(ms: number): void {
    if (!navigator.onLine) return
    navigator.onLine = false
    tell(window, 'offline')
    later(ms, () => {
      navigator.onLine = true
      tell(window, 'online')
    })
  },
  hide(ms: number): void {
    if (document.hidden) return
    setHidden(true)
    later(ms, () => setHidden(false))
  },
  /** Ends every fault of the page. */
  comeBack(): void {
    for (const back of [...returns]) back()
  },
  setNetwork(type: string): void {
    connection.type = type
    tell(connection, 'change')
  },
  /** Puts the page away for so many ms, in which nothing of it runs. */
  putAway(ms: number, how: 'page-cache' | 'frozen'): void {
    if (isAway) return
    isAway = true
    const [target, before, after] = how === 'frozen' ? ([document, 'freeze', 'resume'] as const) : ([window, 'pagehide', 'pageshow'] as const)
    tell(target, before)
    // Its listeners still run before it is frozen.
    clock.after(0, () => isAway && clock.freeze())
    later(ms, () => {
      isAway = false
      clock.thaw()
      tell(target, after)
    })
  },
  sleep(ms: number): void {
    if (isAway) return
    isAway = true
    clock.freeze(true)
    later(ms, () => {
      isAway = false
      clock.thaw()
    })
  }
}

function setHidden(isHidden: boolean): void {
  document.hidden = isHidden
  clock.throttle(isHidden)
  tell(document, 'visibilitychange')
}
