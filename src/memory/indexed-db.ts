/** A `Memory` and `JobStorage` in IndexedDB. */

import { promisifyRequest } from 'idb-keyval'
import type { JobStorage, Memory } from '../types.ts'

let memory: (Memory & JobStorage) | undefined

/**
 * A memory, and a storage of jobs, in the IndexedDB database `jobtail`, object store `memory`. Each use opens it, and closes it again: a page that has it open
 * would block whoever deletes or upgrades it (Indexed DB §5.3), and an `open` that never answers (WebKit bug 226547) holds up no later use. Where IndexedDB
 * fails, its methods reject, and the client goes on without it. Every call returns the same object, since there is one database.
 */
export const indexedDbMemory = (): Memory & JobStorage => (memory ??= open())

function open(): Memory & JobStorage {
  // Not by idb-keyval's stores: they keep the database open.
  async function use<T>(mode: IDBTransactionMode, ask: (entries: IDBObjectStore) => Promise<T>): Promise<T> {
    const request = indexedDB.open('jobtail')
    request.onupgradeneeded = () => request.result.createObjectStore('memory')
    const database = await promisifyRequest(request)
    try {
      return await ask(database.transaction('memory', mode).objectStore('memory'))
    } finally {
      database.close()
    }
  }

  // One transaction: of two pages that change a value at once the second one waits for the first (Indexed DB §2.7.1).
  const update: JobStorage['update'] = (key, change) =>
    use('readwrite', async (entries) => {
      const value = change(await promisifyRequest(entries.get(key)))
      if (value === undefined) entries.delete(key)
      else entries.put(value, key)
      await promisifyRequest(entries.transaction)
      return value
    })

  return {
    read: (key) => use('readonly', (entries) => promisifyRequest(entries.get(key))),
    async write(key, value) {
      await update(key, () => value)
    },
    update
  }
}
