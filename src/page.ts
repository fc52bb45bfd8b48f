/** What the page goes through, as far as a connection has to know: nothing of it happens outside of a browser. */

import { delay, orAborted } from './async/signals.ts'

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
  onNetwork(type: 'offline' | 'online'): void
}

export interface Page {
  follow(): void
  unfollow(): void
  readonly isAway: boolean
  /** Resolves at once, unless the page is put away: then when it is back. */
  present(signal: AbortSignal): Promise<void>
  /** Resolves after so long, or with the next change that gives hope. */
  pause(ms: number, signal: AbortSignal): Promise<void>
}

/** Tells of it while it is followed. */
export function createPage({ onLeave, onChange, onNetwork }: PageListener): Page {
  let following: AbortController | undefined
  let away: PromiseWithResolvers<void> | undefined
  let wake = (): void => {}

  function leave(): void {
    if (away) return
    away = Promise.withResolvers()
    wake()
    onLeave()
  }

  function comeBack(): void {
    away?.resolve()
    away = undefined
    change()
  }

  function change(): void {
    if (!isOffline()) wake()
    onChange()
  }

  function follow(): void {
    if (following) return
    following = new AbortController()
    const { signal } = following
    const { document } = globalThis
    away = undefined
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
    follow,
    unfollow() {
      following?.abort()
      following = undefined
    },
    get isAway() {
      return away !== undefined
    },
    present: async (until) => away && orAborted(away.promise, until),
    pause(ms, until) {
      const woken = Promise.withResolvers<void>()
      wake = woken.resolve
      return delay(ms, until, woken.promise)
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
