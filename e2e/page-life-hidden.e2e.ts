/** Invisible tabs in Chromium: hidden, frozen, and asleep with the whole browser. Each scenario has a tab for each transport. */

import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type ChromiumTab, type ChromiumTabs, startChromiumTabs } from './chromium-tabs.ts'
import { installedEngines } from './engines.ts'
import { createLifeWorld, type Feed, type LifeWorld, patiently } from './page-life-world.ts'

const TRANSPORTS = ['websocket', 'sse', 'long-poll', 'short-poll']
const POLL_MS = 100
/** How long to count requests after a return. A storm would make dozens in this time. */
const STORM_MS = 2000
/** The most requests of a calm return: one race, the single read beside it, and a long poll's second request. */
const MAX_ARRIVALS = 10

/** A tab that follows a job, with a server of its own. */
interface Follower {
  readonly transport: string
  readonly world: LifeWorld
  readonly tab: ChromiumTab
  readonly feed: Feed
}

const followers: Follower[] = []

const count = ({ tab }: Follower): Promise<number> => tab.evaluate(`life.events['42'].length`)
const visibility = ({ tab }: Follower): Promise<string> => tab.evaluate('document.visibilityState')
const eachOf = <T>(act: (follower: Follower) => Promise<T>): Promise<T[]> => Promise.all(followers.map(act))

/** Resolves when the page has received all events so far, and this many more. */
async function untilHad(follower: Follower, more: number): Promise<void> {
  const wanted = follower.feed.count + more
  await expect.poll(() => count(follower), { ...patiently, message: follower.transport }).toBeGreaterThanOrEqual(wanted)
}

/** Resolves when this many more events have been appended. */
async function untilFed({ feed }: Follower, more: number): Promise<void> {
  const wanted = feed.count + more
  await expect.poll(() => feed.count, patiently).toBeGreaterThanOrEqual(wanted)
}

/** Resolves when there has been no request during this many appends. */
async function untilQuiet(follower: Follower, events: number): Promise<void> {
  const { arrivals } = follower.world
  const askedMeanwhile = async (): Promise<number> => {
    const before = arrivals.length
    await untilFed(follower, events)
    return arrivals.length - before
  }
  await expect.poll(askedMeanwhile, { ...patiently, message: follower.transport }).toBe(0)
}

/** Counts requests by the server's clock, from the first one on, since that comes late on a slow machine. */
async function expectNoStorm({ transport, world }: Follower, since: number): Promise<void> {
  await delay(STORM_MS) // no event says that no storm comes
  const [first, ...more] = world.arrivals.slice(since)
  const most = MAX_ARRIVALS + (transport === 'short-poll' ? STORM_MS / POLL_MS : 0)
  expect(more.filter(({ at }) => at < (first?.at ?? 0) + STORM_MS).length, transport).toBeLessThan(most)
}

const expectExact = ({ world, tab, feed }: Follower): Promise<void> => world.expectExact(tab, '42', feed)

async function expectUnbroken({ tab, transport }: Follower): Promise<void> {
  expect(await tab.evaluate(`life.diagnostics.filter(({ type }) => type === 'lost')`), transport).toEqual([])
}

describe.runIf(installedEngines().includes('chromium'))('in Chromium', () => {
  let chromium: ChromiumTabs
  let other: ChromiumTab
  beforeAll(async () => {
    chromium = await startChromiumTabs()
    other = await chromium.open('about:blank')
  })
  afterAll(() => chromium.close())
  afterEach(async () => {
    for (const { tab, world } of followers.splice(0)) {
      await tab.close()
      await world.close()
    }
  })

  async function open(transports: readonly string[], { heartbeatMs = 2000, areSeen = false } = {}): Promise<void> {
    for (const transport of transports) {
      const world = await createLifeWorld({ heartbeatMs, shortPollPauseMs: POLL_MS })
      const feed = world.feed('42', 50)
      const tab = await chromium.open(world.pageUrl(['42'], transport), areSeen)
      const follower = { transport, world, tab, feed }
      followers.push(follower)
      await tab.activate()
      await expect.poll(() => tab.evaluate('typeof life'), patiently).toBe('object')
      await expect.poll(() => visibility(follower), patiently).toBe('visible')
    }
    await eachOf((follower) => untilHad(follower, 10))
  }

  async function hide(): Promise<void> {
    await other.activate()
    await eachOf((follower) => expect.poll(() => visibility(follower), patiently).toBe('hidden'))
  }

  test('a hidden tab goes on', async () => {
    await open(TRANSPORTS)
    await hide()
    await eachOf((follower) => untilHad(follower, 40))
    expect(new Set(await eachOf(visibility))).toEqual(new Set(['hidden']))
    await eachOf(expectExact)
    await eachOf(expectUnbroken)
  })

  test('a hidden tab polls at the pace of the heartbeat, and as soon as it is seen', async () => {
    await open(['short-poll'], { heartbeatMs: 3_600_000 })
    await hide()
    await eachOf(async (follower) => {
      // Chromium's throttling of timers alone would let three requests through.
      await untilQuiet(follower, 60)
      const { count: fed } = follower.feed
      expect(await count(follower)).toBeLessThan(fed - 40)
      await follower.tab.activate()
      // A tab that becomes visible polls at once. Otherwise the next poll would be an hour later, at the heartbeat.
      await untilHad(follower, 0)
      await expectExact(follower)
    })
  })

  test('a tab is frozen and resumed', async () => {
    await open([...TRANSPORTS, TRANSPORTS.join(',')])
    await hide()
    await eachOf(async (follower) => {
      const { transport, world, feed, tab } = follower
      await tab.send('Page.setWebLifecycleState', { state: 'frozen' })
      await expect.poll(() => world.open, { ...patiently, message: transport }).toBe(0)
      // Twenty appends take longer than the pause between two long polls.
      await untilQuiet(follower, 20)
      expect(world.open, transport).toBe(0)
      const before = world.arrivals.length
      feed.hold()
      await tab.send('Page.setWebLifecycleState', { state: 'active' })
      await untilHad(follower, 0)
      await expectNoStorm(follower, before)
      expect(await tab.evaluate(`life.passed.map(({ type }) => type).filter((type) => /freeze|resume/.test(type))`)).toEqual(['freeze', 'resume'])
      await expectExact(follower)
    })
  })

  describe('the whole browser sleeps for 6 s, with a heartbeat each second', () => {
    async function sleep(meanwhile: () => void): Promise<void> {
      const watch =
        '(window.longestMs = 0, window.lastAt = performance.now(), setInterval(() => { const now = performance.now(); longestMs = Math.max(longestMs, now - lastAt); lastAt = now }, 50))'
      await eachOf(({ tab }) => tab.evaluate(watch))
      chromium.signal('SIGSTOP')
      await delay(3000) // the browser is asleep: no event tells when that is long enough
      meanwhile()
      await delay(3000)
      chromium.signal('SIGCONT')
      await eachOf(({ tab }) => expect.poll(() => tab.evaluate('longestMs'), patiently).toBeGreaterThan(5000))
    }

    test('what has come meanwhile is heard before the silence is judged', async () => {
      await open(TRANSPORTS, { heartbeatMs: 1000, areSeen: true })
      await sleep(() => {})
      await eachOf((follower) => untilHad(follower, 10))
      await eachOf(expectUnbroken)
      await eachOf(expectExact)
    })

    test('what was cut meanwhile is taken up again', async () => {
      await open(TRANSPORTS, { heartbeatMs: 1000, areSeen: true })
      const before = new Map<Follower, number>()
      await sleep(() => {
        for (const follower of followers) {
          follower.feed.hold()
          follower.world.proxy.cut()
          before.set(follower, follower.world.arrivals.length)
        }
      })
      await eachOf((follower) => untilHad(follower, 0))
      await eachOf((follower) => expectNoStorm(follower, before.get(follower) ?? 0))
      await eachOf(expectExact)
    })
  })
})
