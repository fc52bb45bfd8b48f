import { longTimeout } from './long-timeout.ts'
import type { Outbox } from './outbox.ts'
import { Stopped, timedOut } from './stopped.ts'
import type { JobContext } from './types.ts'

/** The work's outcome; rejects with why it was stopped where nobody waits for it any more: its time is over, or its job lost. */
export async function untilAbandoned<T>(working: Promise<T>, stop: AbortController, timeoutMs: number, onLateError: (error: unknown) => void): Promise<T> {
  const cancel = longTimeout(timeoutMs, () => stop.abort(timedOut(timeoutMs)))
  const abandoned = Promise.withResolvers<never>()
  const look = () => {
    const { reason } = stop.signal
    if (!(reason instanceof Stopped && (reason.why === 'timeout' || reason.why === 'lost'))) return
    abandoned.reject(reason)
    working.catch((error) => {
      if (error !== reason) onLateError(error)
    })
  }
  stop.signal.addEventListener('abort', look)
  try {
    return await Promise.race([working, abandoned.promise])
  } finally {
    cancel()
    stop.signal.removeEventListener('abort', look)
  }
}

/** What work is given. */
export const contextOf = (id: string, attempt: number, signal: AbortSignal, { add }: Outbox): JobContext => ({
  id,
  attempt,
  signal,
  progress: (progress) => add('progress', progress),
  log: (message, level = 'info') => add('log', { level, message }),
  output: (chunk) => add('output', chunk),
  publish: add
})
