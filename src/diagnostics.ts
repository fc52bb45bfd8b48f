/** Reports diagnostics to the application. */

import { callSafely } from './async/callback.ts'
import { now } from './async/clock.ts'
import type { Client, Diagnostic, DiagnosticDetail } from './types.ts'

/** Reports one diagnostic. `attempt`: the number of its race; 0 for none. */
export type Emit = (detail: DiagnosticDetail, transport?: string, attempt?: number) => void

/** Called with what a client's connection does. */
type Observer = (diagnostic: Diagnostic, client: Client) => void

const observers = new Set<Observer>()

/**
 * Calls `listener` with every diagnostic of every client of the page, whatever their `onDiagnostic` is; for tools. Returns a function that ends it. What the
 * listener throws is logged to the console.
 */
export function observe(listener: (diagnostic: Diagnostic, client: Client) => void): () => void {
  const own: Observer = (...args) => listener(...args) // the same function, registered twice, is called twice
  observers.add(own)
  return () => void observers.delete(own)
}

/** Adds the time to each diagnostic and hands it to `onDiagnostic`, where there is one, and to those who observe. */
export const createEmit =
  (onDiagnostic: ((diagnostic: Diagnostic) => void) | undefined, client: () => Client): Emit =>
  (detail, transport, attempt = 0) => {
    for (const each of onDiagnostic ? [onDiagnostic, ...observers] : observers) callSafely(each, { at: now(), attempt, transport, ...detail }, client())
  }
