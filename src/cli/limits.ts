/** What ends a command beside its own end: Ctrl-C, SIGTERM, `--timeout`, or that nothing answers. */

import { child } from '../async/signals.ts'
import { EXIT, Exit } from './exit-codes.ts'

export interface Limited {
  /** Aborts with an `Exit`. */
  signal: AbortSignal
  stop(exit: Exit): void
}

/** Runs the work under a signal that aborts with the outer one, or after `timeoutMs`; the timer goes with the work. */
export async function limited<T>(signal: AbortSignal, timeoutMs: number | undefined, late: string, work: (limited: Limited) => Promise<T>): Promise<T> {
  const controller = child(signal)
  const stop = (exit: Exit): void => controller.abort(exit)
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => stop(new Exit(EXIT.timeout, `${late} within ${Math.round(timeoutMs / 100) / 10 || timeoutMs / 1000} s`)), timeoutMs)
  try {
    return await work({ signal: controller.signal, stop })
  } catch (error) {
    controller.signal.throwIfAborted() // whatever an abort has made of it on the way
    throw error
  } finally {
    clearTimeout(timer)
    controller.release()
  }
}
