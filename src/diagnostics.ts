/** Reports diagnostics to the application. */

import { callSafely } from './async/callback.ts'
import { now } from './async/clock.ts'
import type { Client, ClientOptions, DiagnosticDetail, Observation } from './types.ts'

/** Reports one diagnostic. `attempt`: the number of its race; 0 for none. */
export type Emit = (detail: DiagnosticDetail, transport?: string, attempt?: number) => void

/** What is reported: a diagnostic, or a change of a subscription's state. */
export type Detail = DiagnosticDetail | Pick<Extract<Observation, { type: 'job' }>, 'type' | 'job' | 'event'>

type Observer = (observation: Observation, client: Client, options: ClientOptions) => void

const observers = new Set<Observer>()

/**
 * Calls `listener` with what every client of the page does, whatever its `onDiagnostic` is; for tools. `options` are the client's, with defaults and
 * credentials. Returns a function that ends it. What the listener throws is logged to the console.
 */
export function observe(listener: (observation: Observation, client: Client, options: ClientOptions) => void): () => void {
  const own: Observer = (...args) => listener(...args) // the same function, registered twice, is called twice
  observers.add(own)
  return () => void observers.delete(own)
}

/** Adds the time. Diagnostics go to `onDiagnostic`, where there is one, and everything to those who observe. */
export const createEmit =
  (options: ClientOptions, client: () => Client) =>
  (detail: Detail, transport?: string, attempt = 0): void => {
    const { onDiagnostic } = options
    const timed = <D extends Detail>(detail: D) => ({ at: now(), attempt, transport, ...detail })
    // Not with what observers are given besides: a diagnostic that is logged tells no token.
    if (onDiagnostic && detail.type !== 'job') callSafely(onDiagnostic, timed(detail))
    // as: TypeScript doesn't put a spread of several types together again
    for (const each of observers) callSafely(each, timed(detail) as Observation, client(), options)
  }
