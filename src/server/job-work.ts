import { abortedByTimeout, JobAborted } from './job-aborted.ts'
import { longTimeout } from './long-timeout.ts'
import type { Outbox } from './outbox.ts'
import type { JobContext } from './types.ts'

/**
 * Resolves with the result of the work, or rejects with its error. Where the job was aborted because its time is over or its lease is lost, it rejects at
 * once and abandons the work; an error that the work throws later goes to `onLateError`. After a cancel or a shutdown it waits for the work.
 */
export async function workOutcome<T>(working: Promise<T>, abort: AbortController, timeoutMs: number, onLateError: (error: unknown) => void): Promise<T> {
  const cancel = longTimeout(timeoutMs, () => abort.abort(abortedByTimeout(timeoutMs)))
  const abandoned = Promise.withResolvers<never>()
  const onAbort = () => {
    const { reason } = abort.signal
    if (!(reason instanceof JobAborted && (reason.kind === 'timeout' || reason.kind === 'lost'))) return
    abandoned.reject(reason)
    working.catch((error) => {
      if (error !== reason) onLateError(error)
    })
  }
  abort.signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([working, abandoned.promise])
  } finally {
    cancel()
    abort.signal.removeEventListener('abort', onAbort)
  }
}

/** Makes the `JobContext` that work gets. */
export const createJobContext = (id: string, attempt: number, signal: AbortSignal, { add }: Outbox): JobContext => ({
  id,
  attempt,
  signal,
  progress: (progress) => add('progress', progress),
  log: (message, level = 'info') => add('log', { level, message }),
  output: (chunk) => add('output', chunk),
  publish: add
})
