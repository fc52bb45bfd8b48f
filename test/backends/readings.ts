/** Backends that read in several ways. */

import type { Backend } from '../../src/types.ts'

/** The backend with one of its readings; what it looks with stays. */
export function only(backend: Backend, name: string): Backend {
  const transports = backend.transports.filter((each) => each.name === name)
  if (transports.length === 0) throw new Error(`there is no reading "${name}", but ${backend.transports.map((each) => each.name)}`)
  return { ...backend, transports }
}
