import type { Connections } from './connections.ts'
import type { EventLog } from './log/types.ts'
import { longTimeout } from './long-timeout.ts'

/** `closing`: it says goodbye to its readers. `failing`: its log gave no answer, or takes nothing; the error's message says why. `warnings`: what may harm jobs later. */
export type Health = { status: 'ok'; warnings?: string[] } | { status: 'closing' } | { status: 'failing'; error: unknown }

/** Any job does: what counts is that the log answers. */
const PROBE = 'jobtail-health'

/** For a load balancer's check: only `ok` should be sent requests. */
export async function healthOf(log: EventLog, { closing }: Connections, { timeoutMs = 2000 }: { timeoutMs?: number } = {}): Promise<Health> {
  if (closing) return { status: 'closing' }
  const late = Promise.withResolvers<never>()
  const cancel = longTimeout(timeoutMs, () => late.reject(new Error(`the log gave no answer within ${timeoutMs} ms`)))
  try {
    const warnings = await Promise.race([log.check ? log.check() : log.snapshot(PROBE).then(() => []), late.promise])
    return warnings.length > 0 ? { status: 'ok', warnings } : { status: 'ok' }
  } catch (error) {
    return { status: 'failing', error }
  } finally {
    cancel()
  }
}
