import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { indexedDbMemory } from '../../src/memory/indexed-db.ts'
import { recallWinner, rememberWinner } from '../../src/memory/winner.ts'

const NAME = 'jobtail'

const settled = (request: IDBOpenDBRequest): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/** The database connections that `indexedDB.open` returned. */
const connections: IDBDatabase[] = []
const open = indexedDB.open.bind(indexedDB)

/** What a browser does when the user deletes the site's data: it closes the connections, then deletes the database. */
async function deleteDatabase(): Promise<void> {
  for (const connection of connections.splice(0)) {
    connection.close()
    connection.dispatchEvent(new Event('close')) // `close()` does not fire this event; a browser that closes a connection by itself does (Indexed DB §5.2)
  }
  await settled(indexedDB.deleteDatabase(NAME))
}

beforeEach(() => {
  vi.spyOn(indexedDB, 'open').mockImplementation((...args) => {
    const request = open(...args)
    request.addEventListener('success', () => connections.push(request.result))
    return request
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  await deleteDatabase()
})

describe('what is written', () => {
  test('is read, under its key', async () => {
    const memory = indexedDbMemory()
    expect(await memory.read('a')).toBeUndefined()
    await memory.write('a', { transport: 'sse', at: 7 })
    await memory.write('b', 'other')
    expect(await memory.read('a')).toEqual({ transport: 'sse', at: 7 })
    expect(await memory.read('b')).toBe('other')
    expect(indexedDbMemory()).toBe(memory)
  })

  test('is gone with the database, which is made anew', async () => {
    const memory = indexedDbMemory()
    await memory.write('a', 1)
    await deleteDatabase()
    expect(await memory.read('a')).toBeUndefined()
    await memory.write('a', 2)
    expect(await memory.read('a')).toBe(2)
  })

  test.each<[string, () => IDBOpenDBRequest]>([
    ['deletes', () => indexedDB.deleteDatabase(NAME)],
    ['upgrades', () => open(NAME, 2)]
  ])('keeps nobody waiting who %s the database, and a later use opens it again', async (_, change) => {
    const memory = indexedDbMemory()
    await memory.write('a', 1)
    const request = change()
    const blocked = new Promise((_, reject) => {
      request.onblocked = () => reject(new Error('blocked'))
    })
    const changed = await Promise.race([settled(request), blocked])
    if (changed instanceof IDBDatabase) changed.close()
    await memory.write('a', 2)
    expect(await memory.read('a')).toBe(2)
  })

  test('is changed in one step, whoever else changes it, and removed by nothing', async () => {
    const memory = indexedDbMemory()
    const add = (each: number): Promise<unknown> => memory.update('list', (list) => [...((list as number[] | undefined) ?? []), each]) // as: what is written here
    const lists = await Promise.all([1, 2, 3].map(add))
    expect(lists).toEqual([[1], [1, 2], [1, 2, 3]])
    await expect(memory.update('list', () => () => {})).rejects.toThrow()
    const refused = memory.update('list', () => {
      throw new Error('no')
    })
    await expect(refused).rejects.toThrow('no')
    expect(await memory.read('list')).toEqual([1, 2, 3])
    expect(await memory.update('list', () => undefined)).toBeUndefined()
    expect(await memory.read('list')).toBeUndefined()
  })

  test('can’t be just anything: what can’t be stored rejects', async () => {
    await expect(indexedDbMemory().write('a', () => {})).rejects.toThrow()
  })
})

describe('a database that can’t be had', () => {
  test('touches nothing before its first use', () => {
    indexedDbMemory()
    expect(indexedDB.open).not.toHaveBeenCalled()
  })

  test('rejects once; the next use opens it again', async () => {
    const memory = indexedDbMemory()
    const newer = await settled(open('newer', 2))
    newer.close()
    vi.mocked(indexedDB.open).mockImplementationOnce(() => open('newer', 1))
    await expect(memory.read('a')).rejects.toMatchObject({ name: 'VersionError' })
    await memory.write('a', 1)
    expect(await memory.read('a')).toBe(1)
    await settled(indexedDB.deleteDatabase('newer'))
  })

  test('by being blocked holds nobody up, and works once it is free', async () => {
    const blocker = await settled(open(NAME))
    const deletion = indexedDB.deleteDatabase(NAME)
    await new Promise((resolve) => {
      deletion.onblocked = resolve
    })
    const memory = indexedDbMemory()
    const read = memory.read('a')
    // The open waits for the deletion, and the deletion for the connection. The client waits for neither.
    expect(await recallWinner(memory, 'a', new AbortController().signal)).toBeUndefined()
    blocker.close()
    expect(await read).toBeUndefined()
    const winner = { transport: 'sse', latencyMs: 1, at: Date.now() - 1000, records: {} }
    await rememberWinner(memory, 'a', winner)
    await vi.waitFor(async () => expect(await recallWinner(memory, 'a', new AbortController().signal)).toEqual(winner))
  })

  test('by never answering is opened anew, after a second', async () => {
    const memory = indexedDbMemory()
    const answered = vi.fn()
    vi.mocked(indexedDB.open).mockImplementationOnce(() => ({}) as IDBOpenDBRequest) // as: its events never fire
    memory.read('a').then(answered, answered)
    const later = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 900)
    memory.read('a').then(answered, answered)
    expect(indexedDB.open).toHaveBeenCalledOnce()
    later.mockReturnValue(performance.now() + 1001)
    await memory.write('a', 1)
    expect(indexedDB.open).toHaveBeenCalledTimes(2)
    later.mockRestore()
    expect(await memory.read('a')).toBe(1)
    expect(answered).not.toHaveBeenCalled()
    expect(indexedDB.open).toHaveBeenCalledTimes(2)
  })

  test.each<[string, unknown]>([
    ['there is none', undefined],
    [
      'it is forbidden',
      {
        open() {
          throw new DOMException('The operation is insecure.', 'SecurityError')
        }
      }
    ]
  ])('because %s rejects, and does not throw', async (_, stub) => {
    vi.stubGlobal('indexedDB', stub)
    const memory = indexedDbMemory()
    const uses = [memory.read('a'), memory.write('a', 1), memory.update('a', () => 1)]
    expect((await Promise.allSettled(uses)).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    vi.unstubAllGlobals()
    await memory.write('a', 1)
    expect(await memory.read('a')).toBe(1)
  })
})
