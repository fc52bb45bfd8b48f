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
  /** The page is watched while anybody follows it; returns how to stop. */
  follow(listener: PageListener): () => void
  readonly isAway: boolean
}

/** Watches the page for several listeners; `onNetwork` is told once, however many they are. */
export function createPage(onNetwork: (type: 'offline' | 'online') => void): Page {
  const listeners = new Set<PageListener>()
  let watch: AbortController | undefined
  let isAway = false

  function leave(): void {
    if (isAway) return
    isAway = true
    for (const listener of listeners) listener.onLeave()
  }

  function change(): void {
    for (const listener of listeners) listener.onChange()
  }

  function comeBack(): void {
    isAway = false
    change()
  }

  function start(): void {
    watch = new AbortController()
    const { signal } = watch
    const { document } = globalThis
    const on = (target: EventTarget | undefined, callback: () => void, ...types: string[]): void => {
      for (const type of types) target?.addEventListener?.(type, callback, { signal, capture: true })
    }
    on(globalThis, leave, 'pagehide')
    on(document, leave, 'freeze')
    on(globalThis, comeBack, 'pageshow')
    on(document, comeBack, 'resume')
    on(document, () => isHidden() || comeBack(), 'visibilitychange')
    // Android and installed apps freeze a page and let it go on without `resume` and `pageshow`: whatever shows that it lives will do.
    on(globalThis, () => isAway && comeBack(), 'focus', 'pointerdown', 'keydown')
    on(connection(), change, 'change')
    for (const [type, then] of [
      ['offline', change],
      ['online', comeBack]
    ] as const)
      on(
        globalThis,
        () => {
          onNetwork(type)
          then()
        },
        type
      )
  }

  return {
    follow(listener) {
      listeners.add(listener)
      if (!watch) start()
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        watch?.abort()
        watch = undefined
        isAway = false
      }
    },
    get isAway() {
      return isAway
    }
  }
}

/** Resolves after so long, or as soon as the page is seen again. */
export function untilSeen(ms: number, signal: AbortSignal, woken?: Promise<void>): Promise<void> {
  const seen = Promise.withResolvers<void>()
  const over = new AbortController()
  woken?.then(seen.resolve)
  globalThis.document?.addEventListener('visibilitychange', () => isHidden() || seen.resolve(), { signal: over.signal })
  return delay(ms, signal, seen.promise).finally(() => over.abort())
}
