/** What a connection has to know about its page. Outside of a browser nothing ever happens here. */

import { delay } from './async/signals.ts'

/** The Network Information API. TypeScript has no type for it, because not every browser has it. */
interface NetworkInformation extends EventTarget {
  readonly type?: string
}

const connection = (): NetworkInformation | undefined => (globalThis.navigator as { connection?: NetworkInformation } | undefined)?.connection // as: see above

/** Whether the page is hidden: its timers are throttled, and nobody looks at it. */
export const isHidden = (): boolean => globalThis.document?.hidden === true

/** Whether the browser is sure that there is no network. `navigator.onLine` being true proves nothing. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false

/** The type of network, such as `wifi` or `cellular`; `undefined` where the browser does not tell it. */
export const networkType = (): string | undefined => connection()?.type

/** What a connection is told of its page. */
export interface PageListener {
  /**
   * The page goes into the back/forward cache (HTML §7.4.6) or is frozen (Page Lifecycle §4). An open connection would keep it out of the
   * cache, or would die unnoticed.
   */
  onLeave(): void
  /** The page is back, is visible again, or has another network or none. What was open may be dead; what failed before may work now. */
  onChange(): void
}

/** The page that a client lives in. */
export interface Page {
  /** Registers a listener, and returns a function that removes it. The page's events are listened to only while there is a listener. */
  follow(listener: PageListener): () => void
  /** True from `onLeave` until the page is back. */
  readonly isAway: boolean
}

/** Watches the page for all of a client's connections. `onNetwork` is called once per change, however many connections there are. */
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
    const on = (target: EventTarget | undefined, callback: (event: Event) => void, ...types: string[]): void => {
      for (const type of types) target?.addEventListener?.(type, callback, { signal, capture: true })
    }
    on(globalThis, leave, 'pagehide')
    on(document, leave, 'freeze')
    on(globalThis, comeBack, 'pageshow')
    on(document, comeBack, 'resume')
    on(document, () => isHidden() || comeBack(), 'visibilitychange')
    // Android and installed apps may freeze a page and resume it without `resume` or `pageshow`. Any sign that the page is alive counts.
    on(globalThis, () => isAway && comeBack(), 'focus', 'pointerdown', 'keydown')
    on(connection(), change, 'change')
    on(
      globalThis,
      ({ type }) => {
        onNetwork(type as 'offline' | 'online') // as: it is one of the types below
        if (type === 'online') comeBack()
        else change()
      },
      'offline',
      'online'
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

/** Resolves after `ms`, as soon as the page is visible again, or with `early`. */
export function untilSeen(ms: number, signal: AbortSignal, early?: Promise<void>): Promise<void> {
  const seen = Promise.withResolvers<void>()
  const over = new AbortController()
  early?.then(seen.resolve)
  globalThis.document?.addEventListener('visibilitychange', () => isHidden() || seen.resolve(), { signal: over.signal })
  return delay(ms, signal, seen.promise).finally(() => over.abort())
}
