/** What a client learnt, kept in IndexedDB. */

import { createStore, del, get, set } from 'idb-keyval'
import type { Memory } from '../types.ts'

/** Keeps entries in the IndexedDB database `jobtail`, opened at the first use. Whatever it can't do rejects; a client goes on without. */
export function indexedDbMemory(): Memory {
  const store = createStore('jobtail', 'memory')
  return {
    read: async (key) => get(key, store),
    write: async (key, value) => set(key, value, store),
    clear: async (key) => del(key, store)
  }
}
