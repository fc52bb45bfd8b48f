/** A `Memory` and `JobStorage` in IndexedDB. */

import { createStore, promisifyRequest } from 'idb-keyval'
import { now } from '../async/clock.ts'
import type { JobStorage, Memory } from '../types.ts'

/**
 * How long an unanswered request is waited for before the next use opens the database again: `indexedDB.open` may never answer (WebKit bug
 * 226547).
 */
const MAX_OPEN_MS = 1000

let memory: (Memory & JobStorage) | undefined

/**
 * A memory, and a storage of jobs, in the IndexedDB database `jobtail`, object store `memory`. It is opened at the first use. Where
 * IndexedDB fails, its methods reject, and the client goes on without it. Every call returns the same object, since there is one database.
 */
export const indexedDbMemory = (): Memory & JobStorage => (memory ??= open())

function open(): Memory & JobStorage {
  // idb-keyval's `get` and `set` are not used: they bundle a default store that is not needed here.
  const connect = (): ReturnType<typeof createStore> => createStore('jobtail', 'memory')
  let store = connect()
  /** When the oldest unanswered request was made; `undefined` where none is pending. */
  let askedAt: number | undefined

  function use<T>(mode: IDBTransactionMode, ask: (entries: IDBObjectStore) => Promise<T>): Promise<T> {
    // idb-keyval opens the database again after a failure, but keeps waiting for an `open` that hangs.
    if (now() - (askedAt ?? Infinity) > MAX_OPEN_MS) {
      store = connect()
      askedAt = undefined
    }
    askedAt ??= now()
    return store(mode, (entries) => {
      const { db } = entries.transaction
      // Whoever deletes or upgrades the database waits until every connection is closed (Indexed DB §5.3).
      db.onversionchange = () => {
        db.close()
        store = connect()
      }
      return ask(entries)
    }).finally(() => {
      askedAt = undefined
    })
  }

  // One transaction: of two pages that change a value at once the second one waits for the first (Indexed DB §2.7.1).
  const update: JobStorage['update'] = async (key, change) =>
    use('readwrite', async (entries) => {
      const value = change(await promisifyRequest(entries.get(key)))
      if (value === undefined) entries.delete(key)
      else entries.put(value, key)
      await promisifyRequest(entries.transaction)
      return value
    })

  return {
    read: async (key) => use('readonly', (entries) => promisifyRequest(entries.get(key))),
    async write(key, value) {
      await update(key, () => value)
    },
    update
  }
}
