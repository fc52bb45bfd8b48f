/** A reader who is behind, by its own slowness or by a long log, is read for by single requests, at its pace, until it has caught up. */

import { describe, expect, test } from 'vitest'
import { isControl } from '../../src/protocol/frames.ts'
import { asked, openOf } from './page-phases.ts'
import { problem } from './virtual-fetch.ts'
import type { VirtualLog } from './virtual-log.ts'
import { useVirtualPage } from './virtual-page.ts'
import { elapse } from './virtual-time.ts'
import { failing, type Script, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, type Loop, NAMES, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()
const page = useVirtualPage()

/** Serves, but no more than so many events of a job at once: then it says that there is more, and stops. */
const sayingMore =
  (log: VirtualLog, most: number): Script =>
  (link) => {
    const over = new Set<string>()
    const push: typeof link.push = (...frames) => {
      let left = most
      for (const frame of frames) {
        const job = 'job' in frame ? (frame.job ?? '') : ''
        if (isControl(frame)) {
          if (frame.control === 'subscribed') over.delete(job)
          if (!over.has(job)) link.push(frame)
          continue
        }
        if (over.has(job)) continue
        link.push(frame)
        left -= 1
        if (left > 0) continue
        over.add(job)
        link.push({ control: 'more', job })
      }
    }
    serving(log)(Object.create(link, { push: { value: push } }))
  }

function createStingyWorld(most: number, options: Parameters<typeof createWorld>[0] = {}): World {
  const world = createWorld({ firstLook: false, ...options })
  for (const name of NAMES) world.transports[name].script = sayingMore(world.log, most)
  return world
}

/** Takes so many, one every few ms. */
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
  test('is let go once, and then asked for a page whenever it has room', async () => {
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
    // No link meanwhile, and nothing asked for twice.
    expect(world.links).toHaveLength(1)
    expect(openOf(world).filter((name) => name !== 'events')).toEqual([])
    expect(slow.state.connection).toMatchObject({ phase: 'live', transport: 'short-poll' })
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

  test('holds up no other reader of its job, whose link stays as it is', async () => {
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

  test('whose pages don’t come goes back to a link', async () => {
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

  test('is told by its pages that it may not read on', async () => {
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

  test('asks for nothing while its page is put away, and goes on when it is back', async () => {
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
    const before = asked(world)
    await elapse(10_000)
    expect(asked(world)).toBe(before)
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
  test.each([true, false])('comes by pages once the link says that there is more (update: %s)', async (canUpdate) => {
    const world = createStingyWorld(50, { canUpdate })
    world.http.pageSize = 50
    world.log.fill('42', 500)
    const loop = run(world.client.subscribe('42'))
    await elapse(1000)
    expect(loop.seqs).toEqual(upTo(500))
    expect(world.said('paused')).toEqual([])
    expect(pages(world)).toBe(9)
    world.log.fill('42', 510)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(510))
    expect(world.open).toHaveLength(1)
    expect(pages(world)).toBe(9)
  })

  test.each([true, false])('leaves the other jobs on their link (update: %s)', async (canUpdate) => {
    const world = createStingyWorld(50, { canUpdate })
    world.http.pageSize = 10
    world.log.fill('long', 500)
    world.log.fill('short', 5)
    const loops: Loop[] = [run(world.client.subscribe('short')), run(world.client.subscribe('long'))]
    await elapse(300)
    for (let seq = 6; seq <= 50; seq += 1) {
      world.log.fill('short', seq)
      await elapse(2)
      expect(loops[0]?.seqs).toEqual(upTo(seq))
    }
    await elapse(1000)
    for (const job of ['short', 'long']) world.log.append(job, 'succeeded')
    await elapse(100)
    expect(loops.map(({ seqs }) => seqs)).toEqual([upTo(51), upTo(501)])
    expect(loops.map(({ state }) => state)).toEqual(['ended', 'ended'])
    expect(world.said('lost')).toEqual([])
    await expectNothingLeft(world)
  })

  test('that has been read beside its link meanwhile is followed on the link', async () => {
    const world = createStingyWorld(50, { firstLook: true })
    world.log.fill('42', 500)
    const loop = run(world.client.subscribe('42'))
    await elapse(500)
    world.log.append('42', 'succeeded')
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(501))
    expect(loop.state).toBe('ended')
    await expectNothingLeft(world)
  })

  test('of which nothing but the start comes by any path but the link: it is asked for again and again, and comes', async () => {
    const world = createStingyWorld(50)
    world.http.faults.events = 'break'
    world.log.fill('42', 200)
    const loop = run(world.client.subscribe('42'))
    await elapse(5000)
    expect(loop.seqs).toEqual(upTo(200))
  })

  test('on a path that has died has its pages, and another link', async () => {
    const world = createStingyWorld(50)
    world.http.pageSize = 10
    world.log.fill('42', 300)
    const loop = run(world.client.subscribe('42'))
    await elapse(60)
    world.transports.websocket.script = failing('refused')
    await elapse(2000)
    expect(loop.seqs).toEqual(upTo(300))
    expect(world.open.map(({ transport }) => transport)).toEqual(['sse'])
  })
})
