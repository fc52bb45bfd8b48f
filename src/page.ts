/** What the page goes through, as far as a connection has to know: nothing of it happens outside of a browser. */

import { delay } from './async/signals.ts'

/** The Network Information API: not in every browser, and so not among TypeScript's types. */
interface NetworkInformation extends EventTarget {
  readonly type?: string
}

const connection = (): NetworkInformation | undefined => (globalThis.navigator as { connection?: NetworkInformation } | undefined)?.connection // as: see above

export const isHidden = (): boolean => globalThis.document?.hidden === true

/** The browser is sure that there is no network. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/** `wifi`, `cellular`, …: undefined where the browser doesn't tell. */
export const networkType = (): string | undefined => connection()?.type

export interface PageListener {
  /** It is put away, into the back/forward cache as well (HTML §7.4.6), or frozen (Page Lifecycle §4): what is open would keep it from that, or die unnoticed. */
  onLeave(): void
  /** It is back, is seen again, is on another network, or on none: what was open may be dead, what was not to be had may have come. */
  onChange(): void
}

export interface Page {
  /** Tells of it from now on; returns how to stop. */
  follow(listener: PageListener): () => void
  readonly isAway: boolean
}

/** One watch for all listeners, kept while there are any. */
export function createPage(onNetwork: (type: 'offline' | 'online') => void): Page {
  const listeners = new Set<PageListener>()
  let watching: AbortController | undefined
  let isAway = false

  function leave(): void {
    if (isAway) return
    isAway = true
    for (const { onLeave } of listeners) onLeave()
  }

  function comeBack(): void {
    isAway = false
    change()
  }

  function change(): void {
    for (const { onChange } of listeners) onChange()
  }

  function watch(): void {
    watching = new AbortController()
    const { signal } = watching
    const { document } = globalThis
    isAway = false
    const on = (target: EventTarget | undefined, type: string, callback: () => void): void => target?.addEventListener?.(type, callback, { signal })

    on(globalThis, 'pagehide', leave)
    on(globalThis, 'pageshow', comeBack)
    on(document, 'freeze', leave)
    on(document, 'resume', comeBack)
    on(document, 'visibilitychange', () => isHidden() || change())
    on(connection(), 'change', change)
    for (const type of ['offline', 'online'] as const)
      on(globalThis, type, () => {
        onNetwork(type)
        change()
      })
  }

  return {
    follow(listener) {
      if (!watching) watch()
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        watching?.abort()
        watching = undefined
      }
    },
    get isAway() {
      return isAway
    }
  }
}

/** Resolves after so long, or as soon as the page is seen again. */
export function untilSeen(ms: number, signal: AbortSignal): Promise<void> {
  const seen = Promise.withResolvers<void>()
  const over = new AbortController()
  globalThis.document?.addEventListener('visibilitychange', () => isHidden() || seen.resolve(), { signal: over.signal })
  return delay(ms, signal, seen.promise).finally(() => over.abort())
}
