/** Backends with several transports. */

import type { Backend } from '../../src/types.ts'

/** The backend with only these of its transports. Its single reads stay as they are. */
export function only(backend: Backend, ...names: string[]): Backend {
  const transports = backend.transports.filter(({ name }) => names.includes(name))
  if (transports.length !== names.length) throw new Error(`expected the transports "${names}", got "${backend.transports.map(({ name }) => name)}"`)
  return { ...backend, transports }
}
