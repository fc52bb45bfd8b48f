/** The jobs that this browser follows: those of this page, and those that a storage keeps for all pages of the origin. */

import { now } from './async/clock.ts'
import { createListeners } from './async/listeners.ts'
import type { JobList, JobStorage, KnownJob } from './types.ts'

/** The list, and what changes it. */
export interface KnownJobs {
  readonly list: JobList
  /** The job runs. */
  add(id: string): void
  /** The job has ended, or is none for this user. */
  remove(id: string): void
  /** Empties the list, and what is stored. */
  forget(): Promise<void>
}

const MAX_JOBS = 100
const MAX_AGE_MS = 7 * 24 * 3600 * 1000

/** Keeps nothing beyond the page. */
export function pageStorage(): JobStorage {
  let kept: unknown
  return {
    async update(_, change) {
      kept = change(kept)
      return kept
    }
  }
}

/** The list with one job more, or without one. A job that is there already stays as it is. */
function edited(jobs: readonly KnownJob[], id: string, job: KnownJob | undefined): readonly KnownJob[] {
  const others = jobs.filter((each) => each.id !== id)
  return job ? (others.length < jobs.length ? jobs : [job, ...jobs]) : others
}

/**
 * `getKey` gets the list's key in the storage; it throws where the client cannot be used. `isId`: whether the client would follow a job of this id.
 */
export function createKnownJobs(storage: JobStorage, getKey: () => string, isId: (id: unknown) => boolean): KnownJobs {
  const listeners = createListeners()
  let state: readonly KnownJob[] = Object.freeze([])
  /** What the storage had last. */
  let stored = state
  /** What the storage has not confirmed yet: a job that was added; `undefined` for one that was removed. */
  const changes = new Map<string, KnownJob | undefined>()

  /** A list, newest first. It may come from a storage, which is not trusted: an older version, or another script of the origin, may have written it. */
  function listOf(value: unknown): readonly KnownJob[] {
    const jobs = new Map<string, KnownJob>()
    for (const each of Array.isArray(value) ? value : []) {
      const { id, since } = Object(each)
      if (typeof id !== 'string' || typeof since !== 'number' || !isId(id) || !(Math.abs(now() - since) < MAX_AGE_MS)) continue
      jobs.set(id, state.find((known) => known.id === id && known.since === since) ?? Object.freeze({ id, since }))
    }
    return [...jobs.values()].sort((a, b) => b.since - a.since).slice(0, MAX_JOBS)
  }

  function refresh(): void {
    const jobs = listOf([...changes].reduce((list, [id, job]) => edited(list, id, job), stored))
    if (jobs.length === state.length && jobs.every((job, index) => job === state[index])) return
    state = Object.freeze(jobs)
    listeners.changed()
  }

  /** Changes what is stored in one step, so that no other page comes in between. */
  const update = async (change: (jobs: readonly KnownJob[]) => readonly KnownJob[]): Promise<void> => {
    try {
      stored = listOf(await storage.update(getKey(), (value) => change(listOf(value))))
    } catch {
      stored = listOf(change(stored)) // the page's own list goes on without the storage
    }
    refresh()
  }

  async function change(id: string, job?: KnownJob): Promise<void> {
    changes.delete(id)
    changes.set(id, job)
    refresh()
    await update((jobs) => edited(jobs, id, job))
    if (changes.get(id) === job) changes.delete(id)
    refresh()
  }

  const load = (): void => void update((jobs) => jobs)

  return {
    list: {
      get state() {
        return state
      },
      subscribe(listener) {
        const remove = listeners.add(listener)
        load()
        globalThis.document?.addEventListener('visibilitychange', load)
        return () => {
          remove()
          if (listeners.size === 0) globalThis.document?.removeEventListener('visibilitychange', load)
        }
      }
    },
    add(id) {
      if (!state.some((job) => job.id === id)) void change(id, { id, since: now() })
    },
    remove: (id) => void change(id),
    async forget() {
      try {
        await storage.update(getKey(), () => undefined)
      } finally {
        changes.clear()
        stored = []
        refresh()
      }
    }
  }
}
