/** Which job an element follows: that of its attributes, while it is in a document. */

import { type Client, initialState, type Job, type JobState } from '../index.ts'
import type { Core } from './base.ts'

/** What is known of the job that an element follows. Another object for another job. */
export interface Followed {
  /** The job; `undefined` where none is followed. */
  job?: Job | undefined
  /** The state; where no job is followed its `error` may say why. */
  readonly state: JobState
  /** Whether the job can be cancelled, as far as is known. */
  canCancel?: boolean | undefined
  /** The place in the queue that the job had when it came. */
  position?: number | undefined
}

export const NOBODY: Followed = { state: initialState() }

/** `changed`: called when another job is followed, and when anything may have changed. */
export function createFollowing(host: { job: string | null }, changed: (followed: Followed) => void): Core {
  let followed = NOBODY
  let client: Client | undefined
  /** Ends the subscription. */
  let leave: (() => void) | undefined
  let queue: AbortController | undefined

  function notice(): void {
    const { job, state } = followed
    if (state.status !== 'queued') queue?.abort()
    else if (job && (!queue || queue.signal.aborted)) void readQueue(job.jobId)
    changed(followed)
  }

  /** The state does not have the place in the queue; the event `queued` does. */
  async function readQueue(id: string): Promise<void> {
    const own = followed
    queue = new AbortController()
    try {
      for await (const { type, data } of client?.subscribe(id, { signal: queue.signal }) ?? []) {
        if (type !== 'queued') continue
        own.position = data?.position
        changed(followed)
      }
    } catch {
      // The job was left; or its state says what is wrong.
    }
  }

  function stop(): void {
    queue?.abort()
    leave = leave?.() as undefined // as: it returns nothing
  }

  return {
    use(chosen, error) {
      const { job: id } = host
      const { job } = followed
      if (chosen?.client !== client || id !== (job?.jobId ?? null) || error) {
        stop()
        client = chosen?.client
        // What cannot be a job's id throws. Then this is called again, with the error.
        const next = error || id === null ? undefined : client?.job(id)
        followed = {
          job: next,
          canCancel: chosen?.canCancel,
          get state() {
            return next?.state ?? { ...initialState(), error }
          }
        }
      }
      leave ??= followed.job?.subscribe(notice)
      notice()
    },
    stop
  }
}
