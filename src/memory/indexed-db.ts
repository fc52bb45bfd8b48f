/** What a client learnt, kept in IndexedDB. */

import { createStore, del, get, set, type UseStore } from 'idb-keyval'
import type { Memory } from '../types.ts'

/** Keeps entries in the IndexedDB database `jobtail`. Whatever it can't do rejects; a client goes on without. */
export function indexedDbMemory(): Memory {
  let store: UseStore | undefined
  /** Made at the first use: importing, or creating a client, touches nothing. */
  const opened = (): UseStore => (store ??= createStore('jobtail', 'memory'))
  return {
    read: async (key) => get(key, opened()),
    write: async (key, value) => set(key, value, opened()),
    clear: async (key) => del(key, opened())
  }
}
