import type { EventLog } from './log/types.ts'
import { longTimeout } from './long-timeout.ts'

/**
 * Whether a server should get requests: only where `status` is `ok`.
 *
 * - `ok`: the log answers. `warnings` say what may harm jobs later, such as a Redis that evicts keys.
 * - `closing`: `close()` was called.
 * - `failing`: the log gave no answer in time, or takes no events. The message of `error` says why.
 */
export type Health = { status: 'ok'; warnings?: string[] } | { status: 'closing' } | { status: 'failing'; error: unknown }

/** The job that is asked for. It needn't exist: what counts is that the log answers. */
const PROBE_JOB = 'jobtail-health'

/** Asks the log whether it works, unless the server is closing. Never rejects. */
export async function healthOf(log: EventLog, isClosing: boolean, { timeoutMs = 2000 }: { timeoutMs?: number } = {}): Promise<Health> {
  if (isClosing) return { status: 'closing' }
  const timeout = Promise.withResolvers<never>()
  const cancel = longTimeout(timeoutMs, () => timeout.reject(new Error(`the log gave no answer within ${timeoutMs} ms`)))
  try {
    const warnings = await Promise.race([log.check ? log.check() : log.snapshot(PROBE_JOB).then(() => []), timeout.promise])
    return warnings.length > 0 ? { status: 'ok', warnings } : { status: 'ok' }
  } catch (error) {
    return { status: 'failing', error }
  } finally {
    cancel()
  }
}
