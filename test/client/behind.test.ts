/** A reader is behind because it is slow or the log is long. Single requests read for it, at its pace, until it has caught up. */

import { describe, expect, test } from 'vitest'
import type { Frame } from '../../src/protocol/frames.ts'
import { openOf, requestCount } from './page-phases.ts'
import { problem } from './virtual-fetch.ts'
import type { VirtualLog } from './virtual-log.ts'
import { useVirtualPage } from './virtual-page.ts'
import { elapse } from './virtual-time.ts'
import { type Script, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, NAMES, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()
const page = useVirtualPage()

/** The size of each event on the wire. */
const CHARS = 100

/** Serves ten events at a time until the window is used up, then says bye, as a stream does (PROTOCOL.md §4). */
const windowed =
  (log: VirtualLog, chars: number = CHARS): Script =>
  (link) => {
    let left = link.request.windowBytes / chars
    let queue: Frame[] = []
    const flush = (): void => {
      const batch = queue.splice(0, 10)
      left -= batch.length
      link.pushBatch(Object.assign(batch, { textLength: chars * batch.length }))
      if (left <= 0) {
        queue = []
        link.push({ control: 'bye', reason: 'window', retryMs: 0 })
      } else if (queue.length > 0) link.after(1, flush)
    }
    const push: typeof link.push = (...frames) => {
      const isIdle = queue.length === 0
      queue.push(...frames)
      if (isIdle) flush()
    }
    serving(log)(Object.create(link, { push: { value: push } }))
  }

/** Takes `count` events, one every few ms. */
async function take(iterator: AsyncIterator<{ seq: number }>, count: number, seqs: number[]): Promise<void> {
  for (let taken = 0; taken < count; taken += 1) {
    const before = seqs.length
    void iterator.next().then(({ value }) => seqs.push(value.seq))
    for (let tries = 0; tries < 100 && seqs.length === before; tries += 1) await elapse(5)
    if (seqs.length === before) throw new Error(`nothing after ${seqs.at(-1)}`)
  }
}

const pages = (world: World): number => world.http.asked.filter(({ resource }) => resource === 'events').length

describe('a slow reader', () => {
  test('leaves its link once, and then gets a page whenever it has room', async () => {
    const world = createWorld({ bufferSize: 20, firstLook: false })
    world.http.pageSize = 10
    world.log.fill('42', 30)
    const slow = world.client.subscribe('42')
    const iterator = slow[Symbol.asyncIterator]()
    const seqs: number[] = []
    await take(iterator, 1, seqs)
    await elapse(100)
    expect(world.links).toHaveLength(1)
    world.log.fill('42', 150)
    await take(iterator, 100, seqs)
    // No link is open meanwhile, and no page is requested twice.
    expect(world.links).toHaveLength(1)
    expect(openOf(world).filter((name) => name !== 'events')).toEqual([])
    expect(slow.state.connection).toMatchObject({ phase: 'live', transport: 'read-once' })
    await take(iterator, 49, seqs)
    await elapse(100)
    expect(pages(world)).toBeLessThanOrEqual(2 * 12)
    expect(world.open.map(({ request }) => request.jobs[0]?.after)).toEqual(['e1-150'])
    world.log.fill('42', 151)
    await take(iterator, 1, seqs)
    expect(seqs).toEqual(upTo(151))
    await iterator.return?.()
    await expectNothingLeft(world)
  })

  test('does not delay another reader of its job, whose link stays', async () => {
    const world = createWorld({ bufferSize: 20, firstLook: false })
    world.http.pageSize = 10
    world.log.fill('42', 5)
    const fast = run(world.client.subscribe('42'))
    const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
    const seqs: number[] = []
    await take(iterator, 1, seqs)
    for (let seq = 6; seq <= 100; seq += 1) {
      world.log.fill('42', seq)
      await elapse(5)
    }
    await take(iterator, 50, seqs)
    world.log.fill('42', 120)
    await elapse(20)
    expect(fast.seqs).toEqual(upTo(120))
    expect(world.open.flatMap(({ lists }) => lists)).toHaveLength(1)
    await take(iterator, 69, seqs)
    expect(seqs).toEqual(upTo(120))
    await iterator.return?.()
  })

  test('goes back to a link where single requests fail', async () => {
    const world = createWorld({ bufferSize: 20, firstLook: false })
    world.http.faults.events = 'break'
    world.log.fill('42', 100)
    const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
    const seqs: number[] = []
    for (let count = 0; count < 10; count += 1) {
      await take(iterator, 10, seqs)
      await elapse(100)
    }
    expect(seqs).toEqual(upTo(100))
    expect(pages(world)).toBeGreaterThan(0)
    await iterator.return?.()
  })

  test('requests whole bytes, whatever the size of its events', async () => {
    const world = createWorld({ bufferSize: 20, bufferBytes: 199_999.5, firstLook: false })
    for (const name of NAMES) world.transports[name].script = windowed(world.log, 100 + 1 / 3)
    world.log.fill('42', 60)
    const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
    const seqs: number[] = []
    await take(iterator, 60, seqs)
    const windows = world.http.asked.map(({ url }) => url.searchParams.get('window'))
    expect(windows.length).toBeGreaterThan(0)
    expect(windows).toEqual(windows.map(() => expect.stringMatching(/^\d+$/)))
    expect(world.links.map(({ request }) => request.windowBytes)).toEqual(world.links.map(() => 799_998))
    await iterator.return?.()
  })

  test('gets an error of a single request after the events before it', async () => {
    const world = createWorld({ bufferSize: 20, firstLook: false })
    world.log.fill('42', 100)
    const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
    const seqs: number[] = []
    await take(iterator, 1, seqs)
    await elapse(100)
    world.http.faults.events = problem(403, 'forbidden')
    await take(iterator, 99, seqs)
    await expect(iterator.next()).rejects.toMatchObject({ code: 'forbidden' })
    expect(seqs).toEqual(upTo(100))
  })

  test('requests nothing while its page is put away, and goes on when it is back', async () => {
    const world = createWorld({ bufferSize: 20, firstLook: false })
    world.http.pageSize = 10
    world.log.fill('42', 30)
    const loop = world.client.subscribe('42')[Symbol.asyncIterator]()
    const seqs: number[] = []
    await take(loop, 1, seqs)
    await elapse(100)
    world.log.fill('42', 60)
    world.http.faults.events = 'hang'
    await take(loop, 20, seqs)
    expect(openOf(world)).toEqual(['events'])
    page.say('pagehide')
    await elapse(0)
    expect(openOf(world)).toEqual([])
    const before = requestCount(world)
    await elapse(10_000)
    expect(requestCount(world)).toBe(before)
    world.http.faults = {}
    page.say('pageshow')
    await elapse(100)
    await take(loop, 39, seqs)
    expect(seqs).toEqual(upTo(60))
    await loop.return?.()
    await expectNothingLeft(world)
    expect(page.listeners).toBe(0)
  })
})

describe('a long log', () => {
  test.each([4000, 8000, 20_000])('over streams with a window of %s bytes: the next stream is open before the window is used up', async (windowBytes) => {
    const world = createWorld({ canUpdate: false, firstLook: false, bufferBytes: windowBytes / 4 })
    for (const name of NAMES) world.transports[name].script = windowed(world.log)
    world.log.fill('42', 500)
    world.log.append('42', 'succeeded')
    const loop = run(world.client.subscribe('42'))
    await elapse(3000)
    expect(loop.seqs).toEqual(upTo(501))
    expect(loop.state).toBe('ended')
    expect(world.links.length).toBeGreaterThan(50_000 / windowBytes - 1)
    expect(world.links.length).toBeLessThan((4 * 50_000) / windowBytes + 2)
    // A used-up window does not lower a transport's rank.
    expect(world.diagnosticsOf('demoted')).toEqual([])
    expect(new Set(world.links.map(({ transport }) => transport))).toEqual(new Set(['websocket']))
    await expectNothingLeft(world)
  })

  test('over a link that can enlarge its window in place needs no second link', async () => {
    const world = createWorld({ firstLook: false, bufferBytes: 3000 })
    world.log.fill('42', 500)
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    expect(loop.seqs).toEqual(upTo(500))
    expect(world.links).toHaveLength(1)
    expect(pages(world)).toBe(0)
  })
})
