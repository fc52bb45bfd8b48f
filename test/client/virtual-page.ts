/** A page without a browser: its events, its visibility and network, and its listeners. */

import { afterEach, beforeEach, vi } from 'vitest'

export type LifeEvent = 'pagehide' | 'pageshow' | 'freeze' | 'resume' | 'focus' | 'pointerdown' | 'keydown'

export interface VirtualPage {
  /** How many listeners window, document and connection have. */
  readonly listeners: number
  /** How many listeners were ever added. */
  readonly everAdded: number
  say(event: LifeEvent): void
  show(isVisible: boolean): void
  connect(isOnline: boolean): void
  /** Changes the type of the network. */
  change(type: string): void
}

/** Gives each test of a file its own page, visible and online. */
export function useVirtualPage(): VirtualPage {
  const listeners = new Set<unknown>()
  let everAdded = 0
  let targets: Record<'window' | 'document' | 'connection', EventTarget>
  const state = { hidden: false, onLine: true, type: 'wifi' }

  function watched(): EventTarget {
    const target = new EventTarget()
    const { addEventListener, removeEventListener } = EventTarget.prototype
    target.addEventListener = (type, listener, options) => {
      const entry = `${type} ${idOf(listener)}`
      listeners.add(entry)
      everAdded += 1
      const { signal } = options as AddEventListenerOptions // as: the client gives one with each
      signal?.addEventListener('abort', () => listeners.delete(entry))
      addEventListener.call(target, type, listener, options)
    }
    target.removeEventListener = (type, listener) => {
      listeners.delete(`${type} ${idOf(listener)}`)
      removeEventListener.call(target, type, listener)
    }
    return target
  }

  const ids = new WeakMap<object, number>()
  let lastId = 0
  function idOf(listener: object | null): number {
    if (!listener) return 0
    const id = ids.get(listener) ?? ++lastId
    ids.set(listener, id)
    return id
  }

  beforeEach(() => {
    listeners.clear()
    everAdded = 0
    Object.assign(state, { hidden: false, onLine: true, type: 'wifi' })
    targets = { window: watched(), document: watched(), connection: watched() }
    const { window, document, connection } = targets
    Object.defineProperty(document, 'hidden', { get: () => state.hidden })
    Object.defineProperty(connection, 'type', { get: () => state.type })
    vi.stubGlobal('document', document)
    vi.stubGlobal('addEventListener', window.addEventListener)
    vi.stubGlobal('navigator', Object.defineProperty({ connection }, 'onLine', { get: () => state.onLine }))
  })
  afterEach(() => void vi.unstubAllGlobals())

  const tell = (target: EventTarget, type: string): void => void target.dispatchEvent(new Event(type))

  return {
    get listeners() {
      return listeners.size
    },
    get everAdded() {
      return everAdded
    },
    say: (event) => tell(event === 'freeze' || event === 'resume' ? targets.document : targets.window, event),
    show(isVisible) {
      state.hidden = !isVisible
      tell(targets.document, 'visibilitychange')
    },
    connect(isOnline) {
      state.onLine = isOnline
      tell(targets.window, isOnline ? 'online' : 'offline')
    },
    change(type) {
      state.type = type
      tell(targets.connection, 'change')
    }
  }
}
