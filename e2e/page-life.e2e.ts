/** The back/forward cache in each engine: a page that follows jobs, goes elsewhere, and comes back. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Engine, installedEngines, startEngine, type Tab } from './engines.ts'
import { createLifeWorld, type Feed, type LifeWorld, patiently } from './page-life-world.ts'

let world: LifeWorld
let tab: Tab

beforeEach(async () => {
  world = await createLifeWorld({ heartbeatMs: 2000, shortPollPauseMs: 500 })
})
afterEach(async () => {
  await tab.close()
  await world.close()
})

const count = (job: string): Promise<number> => tab.evaluate(`life.events[${JSON.stringify(job)}]?.length ?? 0`)
const said = (type: string): Promise<string[]> =>
  tab.evaluate(`life.diagnostics.filter(({ type }) => type === '${type}').map(({ transport }) => transport ?? '')`)

/** Leaves the page, waits until its connections are closed, then until this many more events are in the log. */
async function goElsewhere(feed: Feed, more: number): Promise<void> {
  await tab.goto(world.elsewhere)
  await expect.poll(() => world.open, patiently).toBe(0)
  const arrivals = world.arrivals.length
  const atLeast = feed.count + more
  await expect.poll(() => feed.count, patiently).toBeGreaterThanOrEqual(atLeast)
  expect(world.open).toBe(0)
  expect(world.arrivals.slice(arrivals)).toEqual([])
}

describe.each(installedEngines())('in %s', (name) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine(name)
  })
  afterAll(() => engine.close())

  /** Firefox decides before `pagehide` and keeps a page only if no connection is open. So it usually loads the page again. */
  const isKept = name !== 'firefox'

  /** Checks that the page was restored, not loaded again. */
  async function comeBack(born: string): Promise<void> {
    await tab.back()
    if (!isKept) return void (await expect.poll(() => tab.evaluate('life.shows.length'), patiently).toBeGreaterThan(0))
    await expect.poll(() => tab.evaluate('life.shows'), patiently).toEqual([false, true])
    expect(await tab.evaluate('[life.born, life.reasons()]')).toEqual([born, null])
  }

  test.each(isKept ? ['websocket', 'sse', 'long-poll', 'short-poll'] : ['websocket', 'short-poll'])(
    'a page that follows a job by %s goes on from its cursor',
    async (transport) => {
      const feed = world.feed('42', 50)
      tab = await engine.open(world.pageUrl(['42'], transport))
      await expect.poll(() => count('42'), patiently).toBeGreaterThan(10)
      const born = await tab.evaluate<string>('life.born')
      await goElsewhere(feed, 10)
      await comeBack(born)
      const wanted = feed.count + 5
      await expect.poll(() => count('42'), patiently).toBeGreaterThan(wanted)
      expect(await said('demoted')).toEqual([])
      await world.expectExact(tab, '42', feed)
    }
  )

  test.runIf(isKept)('three jobs, left twice in a row', async () => {
    const jobs = ['41', '42', '43']
    const feeds = jobs.map((job, index) => [job, world.feed(job, 40 + 30 * index)] as const)
    tab = await engine.open(world.pageUrl(jobs))
    await expect.poll(() => said('live'), patiently).toHaveLength(1)
    for (const shows of [2, 3]) {
      for (const [job, feed] of feeds) {
        const wanted = feed.count
        await expect.poll(() => count(job), patiently).toBeGreaterThanOrEqual(wanted)
      }
      await tab.goto(world.elsewhere)
      await expect.poll(() => world.open, patiently).toBe(0)
      await tab.back()
      await expect.poll(() => tab.evaluate('life.shows.length'), patiently).toBe(shows)
    }
    for (const [job, feed] of feeds) await world.expectExact(tab, job, feed)
  })

  test.runIf(isKept)('while it waits to try again: it tries at once', async () => {
    world.proxy.awayFor(600_000)
    const feed = world.feed('42', 50)
    tab = await engine.open(world.pageUrl(['42']))
    // After this many failures the pauses are seconds long.
    await expect.poll(async () => (await said('waiting')).length, patiently).toBeGreaterThanOrEqual(3)
    await expect.poll(() => tab.evaluate(`life.phases['42'].at(-1)`), patiently).toBe('waiting')
    const born = await tab.evaluate<string>('life.born')
    await goElsewhere(feed, 10)
    world.proxy.back()
    await comeBack(born)
    const wanted = feed.count
    await expect.poll(() => count('42'), patiently).toBeGreaterThan(wanted)
    await world.expectExact(tab, '42', feed)
  })

  test('while it connects for the first time, unanswered', async () => {
    world.proxy.set({ webSocket: 'unanswered', stalled: true })
    const feed = world.feed('42', 50)
    // Firefox leaves the TCP connection open when a WebSocket is closed while it connects.
    tab = await engine.open(world.pageUrl(['42'], isKept ? 'websocket,sse,long-poll' : 'sse,long-poll,short-poll'))
    await expect.poll(async () => (await said('probe-started')).length, patiently).toBeGreaterThanOrEqual(3)
    await expect.poll(() => world.open, patiently).toBeGreaterThanOrEqual(3)
    const born = await tab.evaluate<string>('life.born')
    await goElsewhere(feed, 10)
    world.proxy.set({ webSocket: 'pass', stalled: false })
    await comeBack(born)
    await world.expectExact(tab, '42', feed)
  })

  test.runIf(isKept).each(['beforeunload', 'pagehide'])('its loop is left at %s: nothing is opened again', async (moment) => {
    const feed = world.feed('42', 50)
    tab = await engine.open(world.pageUrl(['42']))
    await expect.poll(() => count('42'), patiently).toBeGreaterThan(10)
    const born = await tab.evaluate<string>(`(addEventListener('${moment}', () => life.leave('42')), life.born)`)
    await goElsewhere(feed, 5)
    const arrivals = world.arrivals.length
    await comeBack(born)
    expect(await tab.evaluate(`life.ended['42']`)).toBe('running')
    const atLeast = feed.count + 20
    await expect.poll(() => feed.count, patiently).toBeGreaterThanOrEqual(atLeast)
    expect(world.open).toBe(0)
    expect(world.arrivals.slice(arrivals)).toEqual([])
  })
})
