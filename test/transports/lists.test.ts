/** Lists of jobs that are too long for one URL. */

import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { longPoll, shortPoll } from '../../src/transports/poll.ts'
import { readOnce } from '../../src/transports/read-once.ts'
import { sse } from '../../src/transports/sse.ts'
import { webSocket } from '../../src/transports/websocket.ts'
import type { OpenRequest, Transport } from '../../src/types.ts'
import { openReader, type Reader } from './reader.ts'
import { scriptFetch } from './scripted-fetch.ts'
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts'

const ids = Array.from({ length: 200 }, (_, index) => `${'long-job-id-'.repeat(5)}${index}`)
const [first = '', last = ''] = [ids[0], ids.at(-1)]

async function start(): Promise<ScriptedServer> {
  const server = await startScriptedServer()
  onTestFinished(() => server.kill())
  return server
}

function open(transport: Transport, server: Pick<ScriptedServer, 'base'>, more?: Partial<OpenRequest>): Reader {
  const reader = openReader(
    transport,
    server.base,
    ids.map((job) => ({ job })),
    more
  )
  onTestFinished(() => reader.abort())
  return reader
}

describe.each([webSocket, sse, longPoll, shortPoll])('%o', (make) => {
  it('reads all jobs of a long list, by URLs that are short enough', async () => {
    const server = await start()
    for (const job of ids) server.append(job, 'started')
    const reader = await open(make(), server).untilEvents(ids.length)
    expect(new Set(reader.events.map(({ job }) => job))).toEqual(new Set(ids))
    const pending = reader.untilEvents(ids.length + 2)
    server.append(first)
    server.append(last)
    await pending
    for (const { url } of server.received) expect(url.href.length).toBeLessThan(4200)
  })
})

// As IIS does, whose limit for a query is 2,048 characters. Others answer 414, 431 or 400.
it.each([sse, longPoll, shortPoll, readOnce])('%o reads shorter lists where somebody in between refuses long ones', async (make) => {
  const server = await start()
  for (const job of ids) server.append(job, 'started')
  let refused = 0
  const fetch: OpenRequest['fetch'] = async (input, init) => {
    if (new URL(String(input)).search.length <= 2048) return globalThis.fetch(input, init)
    refused += 1
    return new Response('', { status: 404 })
  }
  const reader = await open(make(), server, { fetch }).untilEvents(ids.length)
  expect(new Set(reader.events.map(({ job }) => job))).toEqual(new Set(ids))
  expect(refused).toBeGreaterThan(0)
})

it('a list that is refused whatever its length has failed', async () => {
  const script = scriptFetch(...Array.from({ length: 100 }, () => new Response('', { status: 404 })))
  await expect(open(sse(), { base: new URL('http://localhost/jobs') }, script).toEnd()).rejects.toMatchObject({ reason: 'status', status: 404 })
  expect(script.asked.length).toBeLessThan(30) // each of the lists once, then three shorter ones
})

it('a socket is one all the same: what is not in its URL is subscribed by message', async () => {
  const server = await start()
  const reader = await open(webSocket(), server).until(({ had }) => had.length === 1 + ids.length)
  expect(server.received).toHaveLength(1)
  const [{ url, operations } = expect.fail('nothing was asked')] = server.received
  const told = url.searchParams.getAll('job')
  expect(told.length).toBeGreaterThan(10)
  expect(url.search.length).toBeLessThan(2048)
  const subscribed = (): unknown[] => operations.filter((each) => (each as { op: string }).op !== 'window') // as: operations of the transport under test
  expect(subscribed()).toEqual(ids.slice(told.length).map((job, index) => ({ op: 'subscribe', job, ref: told.length + index + 1 })))
  reader.link.update?.([])
  await vi.waitFor(() => expect(subscribed()).toHaveLength(2 * ids.length - told.length))
})

describe('several requests that are one link', () => {
  const reading = (url: URL, more: object = {}) => ({
    protocol: 1,
    heartbeatMs: 15_000,
    jobs: url.searchParams.getAll('job').map((job) => ({ job, epoch: 'e', seq: 0, from: 'e-0', cursor: 'e-0', status: 'running', done: false })),
    events: [],
    ...more
  })

  it('end with the last one', async () => {
    const asked: URL[] = []
    const fetch: OpenRequest['fetch'] = async (input) => {
      asked.push(new URL(String(input)))
      return Response.json(reading(new URL(String(input))))
    }
    const reader = await open(readOnce(), { base: new URL('http://localhost/jobs') }, { fetch, windowBytes: 1000 }).toEnd()
    expect(asked.length).toBeGreaterThan(2)
    expect(reader.had).toHaveLength(asked.length + ids.length)
    // Together they have no larger window than one reading would have.
    expect(asked.map(({ searchParams }) => searchParams.get('window'))).toEqual(asked.map(() => `${Math.ceil(1000 / asked.length)}`))
  })

  it('fail with the first, and the others are let go', async () => {
    const signals: AbortSignal[] = []
    const fetch: OpenRequest['fetch'] = (_, init) => {
      if (init?.signal) signals.push(init.signal)
      if (signals.length === 2) return Promise.reject(new TypeError('Failed to fetch'))
      return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
    }
    await expect(open(sse(), { base: new URL('http://localhost/jobs') }, { fetch }).toEnd()).rejects.toMatchObject({ reason: 'network' })
    expect(signals.length).toBeGreaterThan(2)
    for (const signal of signals) expect(signal.aborted).toBe(true)
  })

  it('are let go together', async () => {
    const script = scriptFetch()
    const reader = open(sse(), { base: new URL('http://localhost/jobs') }, script)
    const end = reader.toEnd().catch((error) => error)
    await vi.waitFor(() => expect(script.asked.length).toBeGreaterThan(2))
    reader.abort('enough')
    expect(await end).toBe('enough')
    for (const { init } of script.asked) expect(init.signal?.aborted).toBe(true)
  })

  it('ask for nothing before the first next()', async () => {
    const script = scriptFetch()
    const reader = open(sse(), { base: new URL('http://localhost/jobs') }, script)
    await reader.frames.return?.()
    expect(await reader.frames.next()).toEqual({ done: true, value: undefined })
    expect(script.asked).toEqual([])
  })
})
