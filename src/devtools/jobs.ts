/** What is known of the jobs that the page follows. Independent of the DOM, and bounded. */

import type { JobState, Subscription, WireEvent } from '../index.ts'
import { createRate, type Rate } from './rate.ts'

/** What is read of a subscription. */
type Followed = Pick<Subscription, 'jobId' | 'state'>

/** One subscription to a job. Two that follow the same job are two records. */
export interface JobRecord {
  /** The client's number. */
  readonly client: number
  readonly id: string
  /** As the subscription has it. */
  state: JobState
  /** How many events it had, and how many of each type. */
  events: number
  readonly types: Map<string, number>
  readonly rate: Rate
  /** How many gaps it had, and how many events are lost in them as far as is known. */
  gaps: number
  missed: number
}

export interface Jobs {
  /** In the order in which they were first seen. */
  readonly all: readonly JobRecord[]
  /** The subscription's state has changed: by an event, or without one. */
  change(client: number, subscription: Followed, event: WireEvent | undefined, at: number): void
  gap(client: number, id: string, missed: number | undefined): void
  /** Whether this client follows any job now. */
  isFollowing(client: number): boolean
}

/** How many jobs are kept. */
const KEPT = 50
/** How many types of one job's events are told apart. */
const KEPT_TYPES = 20

export function createJobs(): Jobs {
  let all: JobRecord[] = []
  /** Weak, since a subscription holds events. */
  const known = new WeakMap<Followed, JobRecord>()

  /** Drops the oldest job that nobody follows, else the oldest, where there is no room. */
  function add(client: number, { jobId: id, state }: Followed): JobRecord {
    const job: JobRecord = { client, id, state, events: 0, types: new Map(), rate: createRate(), gaps: 0, missed: 0 }
    if (all.length >= KEPT) {
      const dropped = all.find(isIdle) ?? all[0]
      all = all.filter((each) => each !== dropped)
    }
    all.push(job)
    return job
  }

  return {
    get all() {
      return all
    },
    change(client, subscription, event, at) {
      let job = known.get(subscription)
      if (!job || !all.includes(job)) {
        job = add(client, subscription)
        known.set(subscription, job)
      }
      job.state = subscription.state
      if (!event) return
      job.events += 1
      job.rate.add(at)
      const type = job.types.has(event.type) || job.types.size < KEPT_TYPES ? event.type : 'others'
      job.types.set(type, (job.types.get(type) ?? 0) + 1)
    },
    gap(client, id, missed = 0) {
      // Each subscription reports its own: it belongs to the one with the fewest.
      const [job] = all.filter((each) => each.client === client && each.id === id).sort((a, b) => a.gaps - b.gaps)
      if (!job) return
      job.gaps += 1
      job.missed += missed
    },
    isFollowing: (client) => all.some((job) => job.client === client && !isIdle(job))
  }
}

const isIdle = ({ state }: JobRecord): boolean => state.connection.phase === 'idle' || state.connection.phase === 'closed'
