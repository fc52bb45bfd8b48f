/** The jobs of a client whose state is shared: one subscription for each, however many look at it. */

import { isJobtailError } from './errors.ts'
import type { JobSnapshot } from './protocol/frames.ts'
import type { Subscribed } from './subscription.ts'
import type { Job } from './types.ts'

/** Gets the job with this id: the same object as long as anybody has it or listens to it. `initial`: a snapshot of the job. */
export type Jobs = (id: string, initial: JobSnapshot | undefined) => Job

/** A job, and how it learns of a snapshot. Each keeps the other in memory. */
interface Shared extends Pick<Subscribed, 'learn'> {
  job: Job
}

/** `open`: makes an inert subscription. */
export function createJobs(open: (id: string) => Subscribed): Jobs {
  // Weak, since nobody says when a page that has a job, but does not listen, has forgotten it.
  const jobs = new Map<string, WeakRef<Shared>>()
  const forgotten = new FinalizationRegistry<string>((id) => {
    if (!jobs.get(id)?.deref()) jobs.delete(id)
  })

  return (id, initial) => {
    let shared = jobs.get(id)?.deref()
    if (!shared) {
      shared = share(open(id))
      jobs.set(id, new WeakRef(shared))
      forgotten.register(shared, id)
    }
    if (initial) shared.learn(initial)
    return shared.job
  }
}

function share({ subscription, learn, retry }: Subscribed): Shared {
  const shared: Shared = {
    learn,
    job: {
      jobId: subscription.jobId,
      get state() {
        return subscription.state
      },
      subscribe(listener) {
        // For those who listen already, too.
        if (isJobtailError(subscription.state.error)) retry()
        // Bound, so that a listener keeps the job in memory while it is followed.
        return subscription.onChange(listener.bind(shared))
      },
      get result() {
        return subscription.result
      },
      cancel: subscription.cancel
    }
  }
  return shared
}
