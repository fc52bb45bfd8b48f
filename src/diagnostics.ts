/** Reports diagnostics to the application. */

import { callSafely } from './async/callback.ts'
import { now } from './async/clock.ts'
import type { Diagnostic, DiagnosticDetail } from './types.ts'

/** Reports one diagnostic. `attempt`: the number of its race; 0 for none. */
export type Emit = (detail: DiagnosticDetail, transport?: string, attempt?: number) => void

/** Adds the time to each diagnostic and calls `onDiagnostic`, where there is one. */
export const createEmit =
  (onDiagnostic: ((diagnostic: Diagnostic) => void) | undefined): Emit =>
  (detail, transport, attempt = 0) => {
    if (onDiagnostic) callSafely(onDiagnostic, { at: now(), attempt, transport, ...detail })
  }
