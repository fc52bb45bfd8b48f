/** What a client learnt, kept in IndexedDB. */

import { createStore, promisifyRequest } from 'idb-keyval'
import { now } from '../async/clock.ts'
import type { Memory } from '../types.ts'

/** `indexedDB.open` may never answer (WebKit bug 226547): after so long the next use opens it anew. */
const MAX_OPEN_MS = 1000

let memory: Memory | undefined

/**
 * Keeps entries in the IndexedDB database `jobtail`, store `memory`, opened at the first use. Whatever it can't do rejects; a client goes on without.
 * It is one database, and so always the same object.
 */
export const indexedDbMemory = (): Memory => (memory ??= open())

function open(): Memory {
  // Not idb-keyval's `get` and `set`, which bring a store of their own for who has none.
  const connect = (): ReturnType<typeof createStore> => createStore('jobtail', 'memory')
  let store = connect()
  /** Since when nothing has been answered that was asked; undefined where nothing is waited for. */
  let askedAt: number | undefined

  function use<T>(mode: IDBTransactionMode, ask: (entries: IDBObjectStore) => Promise<T>): Promise<T> {
    // The store keeps an open that hangs for ever, unlike one that has failed.
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
