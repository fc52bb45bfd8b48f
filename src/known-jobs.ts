/** The jobs that this browser follows: those of this page, and those that a storage keeps for all pages of the origin. */

import { macrotask, now } from './async/clock.ts'
import { createListeners } from './async/listeners.ts'
import { withTimeout } from './async/signals.ts'
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
/** How long a storage is waited for that never answers (`memory/indexed-db.ts`). */
const MAX_FORGET_MS = 5000
const MAX_AGE_MS = 7 * 24 * 3600 * 1000

/** Jobs to add, by id; `undefined` for one to remove. */
type Changes = ReadonlyMap<string, KnownJob | undefined>

/**
 * `storage`: `undefined` where the list is kept in the page only. `getKey` gets the list's key there; it throws where the client cannot be used. `isId`:
 * whether the client would follow a job of this id.
 */
export function createKnownJobs(storage: JobStorage | undefined, getKey: () => string, isId: (id: unknown) => boolean): KnownJobs {
  const listeners = createListeners()
  let state: readonly KnownJob[] = Object.freeze([])
  /** What the storage had last. */
  let stored: unknown
  /** What the storage has not confirmed yet. */
  const changes = new Map<string, KnownJob | undefined>()
  /** How many changes there were in this task. Only who reads `state` meanwhile pays for a list: a thousand jobs may begin in one task. */
  let recent = 0

  /**
   * The list after the changes, newest first. It may come from a storage, which is not trusted: an older version, or another script of the origin, may have
   * written it. A job that is there already stays as it is.
   */
  function listOf(value: unknown, changed: Changes): readonly KnownJob[] {
    const jobs = new Map<string, KnownJob>()
    for (const each of [...[...changed.values()].reverse(), ...(Array.isArray(value) ? value : [])]) {
      const { id, since } = Object(each)
      if (typeof id !== 'string' || typeof since !== 'number' || !isId(id) || (changed.has(id) && !changed.get(id)) || !(Math.abs(now() - since) < MAX_AGE_MS))
        continue
      jobs.set(id, state.find((known) => known.id === id && known.since === since) ?? Object.freeze({ id, since }))
    }
    return [...jobs.values()].sort((a, b) => b.since - a.since).slice(0, MAX_JOBS)
  }

  function refresh(): void {
    const jobs = listOf(stored, changes)
    if (jobs.length === state.length && jobs.every((job, index) => job === state[index])) return
    state = Object.freeze(jobs)
    listeners.changed()
  }

  /** Reads what other pages have stored, and stores what has changed here in one step, so that no other page comes in between. */
  async function sync(): Promise<void> {
    const written = new Map(changes)
    let value: unknown
    try {
      value = await storage?.update(getKey(), (before) => listOf(before, written))
    } catch {
      // the page's own list goes on without the storage
    }
    stored = value ?? listOf(stored, written)
    for (const [id, job] of written) if (changes.get(id) === job) changes.delete(id)
    refresh()
  }

  /** Stores the first change at once, since the page may be left in this task, and further ones of the task together. */
  function change(id: string, job?: KnownJob): void {
    changes.delete(id)
    changes.set(id, job)
    recent += 1
    if (recent > 1) return
    void sync()
    void macrotask().then(() => {
      if (recent > 1) void sync()
      recent = 0
      refresh()
    })
  }

  const onSeen = (): void => void sync()

  return {
    list: {
      get state() {
        if (recent > 0) refresh()
        return state
      },
      subscribe(listener) {
        const remove = listeners.add(listener)
        onSeen()
        globalThis.document?.addEventListener('visibilitychange', onSeen)
        return () => {
          remove()
          if (listeners.size === 0) globalThis.document?.removeEventListener('visibilitychange', onSeen)
        }
      }
    },
    add(id) {
      const isThere = changes.has(id) ? changes.get(id) : state.some((job) => job.id === id)
      if (!isThere) change(id, { id, since: now() })
    },
    remove: (id) => change(id),
    async forget() {
      try {
        const late = (): Error => new Error(`forget: no answer within ${MAX_FORGET_MS} ms`)
        await withTimeout(async () => storage?.update(getKey(), () => undefined), MAX_FORGET_MS, new AbortController().signal, late)
      } finally {
        changes.clear()
        stored = undefined
        refresh()
      }
    }
  }
}
