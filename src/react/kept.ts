/** What a component keeps from one render to the next. */

import { type RefObject, useInsertionEffect, useRef, useState } from 'react'

/**
 * What `make` returned for these `keys`, compared by identity. Unlike `useMemo` it is kept for certain: React may drop a memo, and Fast Refresh drops every
 * memo of a module that was edited.
 */
export function useKept<T>(make: () => T, ...keys: readonly unknown[]): T {
  const renew = (): { keys: readonly unknown[]; value: T } => ({ keys, value: make() })
  let [kept, keep] = useState(renew)
  if (keys.some((key, index) => key !== kept.keys[index])) {
    kept = renew()
    keep(kept)
  }
  return kept.value
}

/** A ref to the value of the latest render that was committed: a new callback is called from then on, and is no reason to run an effect again. */
export function useLatest<T>(value: T): RefObject<T> {
  const latest = useRef(value)
  // Before any other effect: they call it. React 18 warns of a layout effect on a server, not of this one.
  useInsertionEffect(() => {
    latest.current = value
  })
  return latest
}
