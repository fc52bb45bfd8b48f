/** A `Memory` in IndexedDB. */

import { createStore, promisifyRequest } from 'idb-keyval'
import { now } from '../async/clock.ts'
import type { Memory } from '../types.ts'

/**
 * How long an unanswered request is waited for before the next use opens the database again: `indexedDB.open` may never answer (WebKit bug
 * 226547).
 */
const MAX_OPEN_MS = 1000

let memory: Memory | undefined

/**
 * A memory in the IndexedDB database `jobtail`, object store `memory`. It is opened at the first use. Where IndexedDB fails, `read` and
 * `write` reject, and the client goes on without it. Every call returns the same object, since there is one database.
 */
export const indexedDbMemory = (): Memory => (memory ??= open())

function open(): Memory {
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
    return store(mode, ask).finally(() => {
      askedAt = undefined
    })
  }

  return {
    read: async (key) => use('readonly', (entries) => promisifyRequest(entries.get(key))),
    write: async (key, value) =>
      use('readwrite', (entries) => {
        entries.put(value, key)
        return promisifyRequest(entries.transaction)
      })
  }
}
