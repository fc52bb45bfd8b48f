type Handle = (event: Event) => unknown
type Listener = Handle | { handleEvent: Handle }
type ListenerMethod = (type: string, listener: Listener | null, options?: unknown) => void

/** Listeners by their guarded form, so that `removeEventListener` finds the one that was added. */
type Guards = WeakMap<object, Handle>

/**
 * Passes errors of a signal's listeners to `onThrow`. Otherwise Node would end the process (`uncaughtException`) because of one cancelled job. Doesn't reach
 * listeners of signals that `AbortSignal.any` derives from this one.
 */
export function guardListeners(signal: AbortSignal, onThrow: (error: unknown) => void): AbortSignal {
  const guards: Guards = new WeakMap()
  const { addEventListener, removeEventListener } = signal as { addEventListener: ListenerMethod; removeEventListener: ListenerMethod } // as: whatever is passed on

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
  const addGuarded: ListenerMethod = (type, listener, options) => addEventListener.call(signal, type, listener && guarded(listener), options)
  const removeGuarded: ListenerMethod = (type, listener, options) => removeEventListener.call(signal, type, listener && guarded(listener), options)
  return Object.defineProperties(signal, {
    addEventListener: { value: addGuarded },
    removeEventListener: { value: removeGuarded },
    onabort: {
      get: () => onabort,
      set(listener: unknown) {
        removeGuarded('abort', onabort)
        onabort = typeof listener === 'function' ? (listener as Handle) : null // as: it is a function
        addGuarded('abort', onabort)
      }
    }
  })
}
