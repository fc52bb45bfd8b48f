type Handle = (event: Event) => unknown
type Listener = Handle | { handleEvent: Handle }
type Listen = (type: string, listener: Listener | null, options?: unknown) => void

/** The signal's own listeners that are not guarded yet, each with its guarded form, so that it can be removed. */
type Guards = WeakMap<object, Handle>

/**
 * Makes what throws in a signal's listeners go to `onThrow`: otherwise Node ends the process, for one cancelled job. Those of a signal that
 * `AbortSignal.any` makes of it are not seen.
 */
export function guardListeners(signal: AbortSignal, onThrow: (error: unknown) => void): AbortSignal {
  const guards: Guards = new WeakMap()
  const { addEventListener, removeEventListener } = signal as { addEventListener: Listen; removeEventListener: Listen } // as: whatever is passed on

  function guarded(listener: Listener): Handle {
    const known = guards.get(listener)
    if (known) return known
    const guard: Handle = (event) => {
      try {
        const done = typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event)
        if (done instanceof Promise) done.catch(onThrow)
      } catch (error) {
        onThrow(error)
      }
    }
    guards.set(listener, guard)
    return guard
  }

  let onabort: Handle | null = null
  const add: Listen = (type, listener, options) => addEventListener.call(signal, type, listener && guarded(listener), options)
  const remove: Listen = (type, listener, options) => removeEventListener.call(signal, type, listener && guarded(listener), options)
  return Object.defineProperties(signal, {
    addEventListener: { value: add },
    removeEventListener: { value: remove },
    onabort: {
      get: () => onabort,
      set(listener: unknown) {
        remove('abort', onabort)
        onabort = typeof listener === 'function' ? (listener as Handle) : null // as: it is one
        add('abort', onabort)
      }
    }
  })
}
