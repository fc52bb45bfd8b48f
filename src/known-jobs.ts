/** The jobs that this browser follows: those of this page, and those that a storage keeps for all pages of the origin. */

import { macrotask, now } from './async/clock.ts'
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

/** Jobs to add, by id; `undefined` for one to remove. */
type Changes = ReadonlyMap<string, KnownJob | undefined>

/** The list after the changes, the latest first. A job that is there already stays as it is. */
function edited(jobs: readonly KnownJob[], changes: Changes): readonly KnownJob[] {
  const left = jobs.filter(({ id }) => !changes.has(id) || changes.get(id))
  const ids = new Set(left.map(({ id }) => id))
  const added = [...changes.values()].filter((job) => job !== undefined && !ids.has(job.id)) as KnownJob[] // as: the others are left out
  return [...added.reverse(), ...left]
}

/**
 * `getKey` gets the list's key in the storage; it throws where the client cannot be used. `isId`: whether the client would follow a job of this id.
 */
export function createKnownJobs(storage: JobStorage, getKey: () => string, isId: (id: unknown) => boolean): KnownJobs {
  const listeners = createListeners()
  let state: readonly KnownJob[] = Object.freeze([])
  /** What the storage had last. */
  let stored = state
  /** What the storage has not confirmed yet. */
  const changes = new Map<string, KnownJob | undefined>()
  /** Whether `state` may be older than `stored` and `changes`. Only who reads it pays for a list: a thousand jobs may begin in one task. */
  let isStale = false
  let told = state
  let isHeld = false
  let hasMore = false

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

  function current(): readonly KnownJob[] {
    if (!isStale) return state
    isStale = false
    const jobs = listOf(edited(stored, changes))
    if (jobs.length !== state.length || jobs.some((job, index) => job !== state[index])) state = Object.freeze(jobs)
    return state
  }

  /** Tells listeners of another list than the one that they were told of last. */
  function tell(): void {
    const before = told
    told = current()
    if (told !== before) listeners.changed()
  }

  /** Changes what is stored in one step, so that no other page comes in between. */
  const update = async (change: (jobs: readonly KnownJob[]) => readonly KnownJob[]): Promise<void> => {
    try {
      stored = listOf(await storage.update(getKey(), (value) => change(listOf(value))))
    } catch {
      stored = listOf(change(stored)) // the page's own list goes on without the storage
    }
    isStale = true
    tell()
  }

  function change(id: string, job?: KnownJob): void {
    changes.delete(id)
    changes.set(id, job)
    isStale = true
    if (isHeld) hasMore = true
    else void write()
  }

  /** Writes the first change at once, since the page may be left in this task, and further ones of the task together. */
  async function write(): Promise<void> {
    isHeld = true
    void flush()
    await macrotask()
    isHeld = false
    tell()
    if (hasMore) void flush()
    hasMore = false
  }

  async function flush(): Promise<void> {
    const written = new Map(changes)
    await update((jobs) => edited(jobs, written))
    for (const [id, job] of written) if (changes.get(id) === job) changes.delete(id)
    isStale = true
  }

  const load = (): void => void update((jobs) => jobs)

  return {
    list: {
      get state() {
        return current()
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
      const isThere = changes.has(id) ? changes.get(id) : stored.some((job) => job.id === id)
      if (!isThere) change(id, { id, since: now() })
    },
    remove: (id) => change(id),
    async forget() {
      try {
        await storage.update(getKey(), () => undefined)
      } finally {
        changes.clear()
        stored = []
        isStale = true
        tell()
      }
    }
  }
}
