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

export interface PageLife {
  /** It is put away, into the back/forward cache as well (HTML §7.4.6), or frozen (Page Lifecycle §4): what is open would keep it from that, or die unnoticed. */
  onLeave(): void
  onReturn(): void
  onOffline(): void
  onOnline(): void
  /** It is seen again, or on another network: what was open may be dead. */
  onChange(): void
}

/** Tells of it until the signal aborts. */
export function watchPage({ onLeave, onReturn, onOffline, onOnline, onChange }: PageLife, signal: AbortSignal): void {
  const on = (target: EventTarget | undefined, type: string, callback: () => void): void => target?.addEventListener?.(type, callback, { signal })
  const { document } = globalThis
  on(globalThis, 'pagehide', onLeave)
  on(globalThis, 'pageshow', onReturn)
  on(document, 'freeze', onLeave)
  on(document, 'resume', onReturn)
  on(globalThis, 'offline', onOffline)
  on(globalThis, 'online', onOnline)
  on(document, 'visibilitychange', () => isHidden() || onChange())
  on(connection(), 'change', onChange)
}

/** Resolves after so long, or as soon as the page is seen again. */
export function untilSeen(ms: number, signal: AbortSignal): Promise<void> {
  const seen = Promise.withResolvers<void>()
  const over = new AbortController()
  globalThis.document?.addEventListener('visibilitychange', () => isHidden() || seen.resolve(), { signal: over.signal })
  return delay(ms, signal, seen.promise).finally(() => over.abort())
}
