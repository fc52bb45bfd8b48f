/** Ends a command early: by Ctrl-C, SIGTERM, `--timeout`, or because no server answers. */

import { child } from '../async/signals.ts'
import { EXIT, Exit } from './exit-codes.ts'

export interface Limited {
  /** Aborted with an `Exit` as its reason. */
  signal: AbortSignal
  stop(exit: Exit): void
}

/** Runs the work under a signal that is aborted with `signal`, by `stop`, or after `timeoutMs`. `late` is the beginning of the timeout's message. */
export async function withLimits<T>(
  signal: AbortSignal,
  timeoutMs: number | undefined,
  timeoutMessage: string,
  work: (limited: Limited) => Promise<T>
): Promise<T> {
  const controller = child(signal)
  const stop = (exit: Exit): void => controller.abort(exit)
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => stop(new Exit(EXIT.timeout, `${timeoutMessage} within ${Math.round(timeoutMs / 100) / 10 || timeoutMs / 1000} s`)), timeoutMs)
  try {
    return await work({ signal: controller.signal, stop })
  } catch (error) {
    controller.signal.throwIfAborted() // the work may have wrapped the reason of the abort in another error
    throw error
  } finally {
    clearTimeout(timer)
    controller.release()
  }
}
