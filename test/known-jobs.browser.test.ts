/** A page that is loaded again finds the jobs that the one before it has started. Each document has modules of its own, and shares only IndexedDB. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { macrotask } from '../src/async/clock.ts'
import type { Client, ClientOptions } from '../src/types.ts'

/** The server's answers: every job that is started runs, until it is ended here. */
const ended = new Set<string>()
let started = 0
const server: typeof fetch = async (input, init) => {
  const id = init?.method === 'POST' ? `report-${++started}` : decodeURIComponent(new URL(String(input)).pathname.split('/')[2] ?? '')
  return Response.json({ id, status: ended.has(id) ? 'succeeded' : 'running', epoch: 'a', seq: 1, cursor: 'a-1', result: 7 })
}

const frames: HTMLIFrameElement[] = []

type Entry = typeof import('../src/index.ts')

/** The library in a document of its own. */
async function load(): Promise<Entry> {
  const frame = document.createElement('iframe')
  const entry = new URL('../src/index.ts', import.meta.url).href
  frame.srcdoc = `<script type="module">import * as entry from ${JSON.stringify(entry)}; window.entry = entry; parent.postMessage('loaded')</script>`
  const loaded = new Promise((resolve) => addEventListener('message', resolve, { once: true }))
  document.body.append(frame)
  frames.push(frame)
  await loaded
  return (frame.contentWindow as Window & { entry: Entry }).entry // as: its script has put it there
}

const client = ({ createClient }: Entry, options: ClientOptions = {}): Client =>
  createClient({ url: 'https://example.test/jobs', transports: [], fetch: server, ...options })

/** What a client that is made now finds. */
async function found(entry: Entry, options?: ClientOptions): Promise<readonly string[]> {
  const storage = entry.indexedDbMemory()
  const answered = Promise.withResolvers<void>()
  const update: typeof storage.update = (...change) => storage.update(...change).finally(answered.resolve)
  const jobs = client(entry, { ...options, jobStorage: { update } }).jobs()
  jobs.subscribe(() => {})
  await answered.promise
  await macrotask()
  return jobs.state.map(({ id }) => id)
}

/** Loading a document takes long where the machine is busy. */
const patiently = { timeout: 20_000 }

beforeEach(() => {
  started = 0
  ended.clear()
})
afterEach(async () => {
  for (const frame of frames.splice(0)) frame.remove()
  await new Promise((resolve) => {
    indexedDB.deleteDatabase('jobtail').onsuccess = resolve
  })
})

test('started jobs are found after a reload, until they have ended', { timeout: 60_000 }, async () => {
  const first = await load()
  const before = client(first)
  await Promise.all([before.start({}), before.start({})])
  expect(before.jobs().state).toHaveLength(2)
  await vi.waitFor(async () => expect(await found(first)).toHaveLength(2), patiently)
  frames[0]?.remove()

  const second = await load()
  expect((await found(second)).toSorted()).toEqual(['report-1', 'report-2'])
  ended.add('report-1')
  await expect(client(second).job('report-1').result).resolves.toBe(7)
  await vi.waitFor(async () => expect(await found(second)).toEqual(['report-2']), patiently)
})

test('another user of the browser, and another server, have lists of their own; forget empties one', { timeout: 60_000 }, async () => {
  const entry = await load()
  const [ann, bob] = ['ann', 'bob'].map((identity) => ({ identity, token: identity }))
  const clients = [ann, bob, { token: 'nobody' }].map((options) => client(entry, options))
  await Promise.all(clients.map((each) => each.start({})))
  await vi.waitFor(async () => expect([...(await found(entry, ann)), ...(await found(entry, bob))]).toHaveLength(2), patiently)
  expect(await found(entry)).toEqual([])
  expect(await found(entry, { ...ann, url: 'https://example.test/other' })).toEqual([])
  await clients[0]?.forget()
  expect(await found(entry, ann)).toEqual([])
  expect(await found(entry, bob)).toHaveLength(1)
})
