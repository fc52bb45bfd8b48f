/** Tells whoever wants to know what a client does. */

import { callOut } from './async/callback.ts'
import { now } from './async/clock.ts'
import type { Diagnostic, DiagnosticDetail } from './types.ts'

/** `attempt`: the race that it belongs to; 0: none. */
export type Emit = (detail: DiagnosticDetail, transport?: string, attempt?: number) => void

export const createEmit =
  (onDiagnostic: ((diagnostic: Diagnostic) => void) | undefined): Emit =>
  (detail, transport, attempt = 0) => {
    if (onDiagnostic) callOut(onDiagnostic, { at: now(), attempt, transport, ...detail })
  }
