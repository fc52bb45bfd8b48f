/** Backends that read in several ways. */

import type { Backend } from '../../src/types.ts'

/** The backend with these of its readings; what it looks with stays. */
export function only(backend: Backend, ...names: string[]): Backend {
  const transports = backend.transports.filter(({ name }) => names.includes(name))
  if (transports.length !== names.length) throw new Error(`expected the readings "${names}", got "${backend.transports.map(({ name }) => name)}"`)
  return { ...backend, transports }
}
