/** What a client learnt, kept in IndexedDB. */

import { createStore, promisifyRequest } from 'idb-keyval'
import type { Memory } from '../types.ts'

/** Keeps entries in the IndexedDB database `jobtail`, opened at the first use. Whatever it can't do rejects; a client goes on without. */
export function indexedDbMemory(): Memory {
  // Not idb-keyval's `get`, `set` and `del`, which bring a store of their own for who has none.
  const store = createStore('jobtail', 'memory')

  const change = async (make: (entries: IDBObjectStore) => void): Promise<void> =>
    store('readwrite', (entries) => {
      make(entries)
      return promisifyRequest(entries.transaction)
    })

  return {
    read: async (key) => store('readonly', (entries) => promisifyRequest(entries.get(key))),
    write: (key, value) => change((entries) => entries.put(value, key)),
    clear: (key) => change((entries) => entries.delete(key))
  }
}
