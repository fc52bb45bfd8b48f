/** The jobs of a client whose state is shared: one subscription for each, however many look at it. */

import { isJobtailError } from './errors.ts'
import type { JobSnapshot } from './protocol/frames.ts'
import { type AnyState, IDLE } from './state.ts'
import type { Subscribed } from './subscription.ts'
import type { Job } from './types.ts'

/** Makes an inert subscription. `known`: what its state begins with. */
type Open = (known?: AnyState) => Subscribed

/** Gets the job with this id: the same object as long as anybody has it. `initial`: a snapshot of the job. */
export type Jobs = (id: string, initial: JobSnapshot | undefined) => Job

/** A job, and how it learns of a snapshot. */
type Shared = readonly [job: Job, learn: (snapshot: JobSnapshot) => void]

export function createJobs(open: (id: string) => Open): Jobs {
  // Weak, since nobody says when a page that has a job, but does not listen, has forgotten it.
  const jobs = new Map<string, WeakRef<Job>>()
  const learns = new WeakMap<Job, Shared[1]>()
  const forgotten = new FinalizationRegistry<string>((id) => {
    if (!jobs.get(id)?.deref()) jobs.delete(id)
  })
  /** The jobs that have listeners. */
  const inUse = new Set<Job>()

  return (id, initial) => {
    let job = jobs.get(id)?.deref()
    if (!job) {
      const [made, learn] = createJob(id, open(id), inUse)
      job = made
      jobs.set(id, new WeakRef(job))
      learns.set(job, learn)
      forgotten.register(job, id)
    }
    if (initial) learns.get(job)?.(initial)
    return job
  }
}

/** `inUse`: gets the job while it has listeners. */
function createJob(jobId: string, open: Open, inUse: Set<Job>): Shared {
  let { subscription, learn } = open()
  /** What each listener's registration is ended with. */
  const leaves = new Map<() => void, () => void>()

  /** A subscription that has failed does nothing more, so another one takes its place, for those who listen to it too. */
  function retry(): void {
    ;({ subscription, learn } = open({ ...subscription.state, error: undefined, connection: IDLE }))
    for (const [own, leave] of leaves) {
      leave()
      leaves.set(own, subscription.onChange(own))
    }
  }

  const job: Job = {
    jobId,
    get state() {
      return subscription.state
    },
    subscribe(listener) {
      const own = (): void => listener() // the same function, registered twice, is called twice
      if (isJobtailError(subscription.state.error)) retry()
      leaves.set(own, subscription.onChange(own))
      inUse.add(job)
      return () => {
        leaves.get(own)?.()
        leaves.delete(own)
        if (leaves.size === 0) inUse.delete(job)
      }
    },
    get result() {
      return subscription.result
    },
    cancel: () => subscription.cancel()
  }
  return [job, (snapshot) => learn(snapshot)]
}
