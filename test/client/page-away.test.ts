/** A page is put away (into the back/forward cache, or frozen) at any moment. Nothing stays open, and the job goes on when the page is back. */

import { describe, expect, test, vi } from 'vitest'
import type { Subscription } from '../../src/types.ts'
import { all, mend, openOf, type Phase, phases, reach, requestCount } from './page-phases.ts'
import { type LifeEvent, useVirtualPage } from './virtual-page.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { failing } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()
const page = useVirtualPage()

describe.each(Object.entries(phases))('put away while %s', (_, phase) => {
  test.each([
    ['pagehide', 'pageshow'],
    ['freeze', 'resume'],
    ['freeze', 'focus'] // Chrome on Android fires no other event
  ] as const)('by %s: everything is closed at once, and resumed at %s', async (leave, back) => {
    const { world, loop } = await reach(phase)
    page.say(leave)
    await elapse(0)
    expect(openOf(world)).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
    const before = requestCount(world)
    world.log.fill('42', 60)
    await elapseRoughly(120_000)
    expect(requestCount(world)).toBe(before)
    expect(vi.getTimerCount()).toBe(0)
    phase.mend?.(world)
    page.say(back)
    await elapse(100)
    expect(loop.seqs).toEqual(upTo(60))
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(61) })
    await expectNothingLeft(world)
    expect(page.listeners).toBe(0)
  })

  test.each([
    ['its loop is closed', (_: World, job: Subscription) => job.close()],
    ['the client is closed', ({ client }: World) => client.close()]
  ])('and %s: nothing is left, and the return changes nothing', async (_, end) => {
    const { world, job, loop } = await reach(phase)
    page.say('pagehide')
    await elapse(0)
    end(world, job)
    await expectNothingLeft(world)
    expect(loop.state).toBe('ended')
    expect(page.listeners).toBe(0)
    const before = requestCount(world)
    page.say('pageshow')
    await elapseRoughly(60_000)
    expect(requestCount(world)).toBe(before)
  })
})

test('the page has no listeners before the first reader and after the last one', async () => {
  const world = createWorld()
  world.log.fill('42', 3)
  world.log.create('43')
  const jobs = [world.client.subscribe('42'), world.client.subscribe('43')]
  page.say('pagehide')
  page.say('pageshow')
  await elapse(100)
  expect(page.everAdded).toBe(0)
  for (const job of jobs) run(job)
  await elapse(100)
  expect(page.listeners).toBeGreaterThan(0)
  jobs[0]?.close()
  await elapse(100)
  expect(page.listeners).toBeGreaterThan(0)
  jobs[1]?.close()
  await elapse(100)
  expect(page.listeners).toBe(0)
  await expectNothingLeft(world)
})

test('many races add no listeners to the page', async () => {
  const world = createWorld({ scripts: all(failing('network')) })
  world.http.faults.events = 'break'
  world.log.create('42')
  run(world.client.subscribe('42'))
  await elapse(100)
  const before = page.listeners
  await elapseRoughly(120_000)
  expect(page.listeners).toBe(before)
})

test('left and back in one task, because nothing runs while the page is away: nothing is requested', async () => {
  const { world, job } = await reach(phases.live as Phase) // as: it is there
  page.say('pagehide')
  await elapse(0)
  const before = requestCount(world)
  job.close()
  page.say('pageshow')
  await elapse(100)
  expect(requestCount(world)).toBe(before)
  await expectNothingLeft(world)
})

function permutations<T>(values: readonly T[]): T[][] {
  if (values.length < 2) return [[...values]]
  return values.flatMap((first, index) => permutations(values.toSpliced(index, 1)).map((rest) => [first, ...rest]))
}

test.each(permutations<LifeEvent>(['freeze', 'pagehide', 'pageshow', 'resume']).map((order) => [order.join(', '), order] as const))(
  'in the order %s: nothing is open while the page is away, and every event arrives',
  async (_, order) => {
    const { world, loop } = await reach(phases.live as Phase) // as: it is there
    let count = 3
    for (const event of order) {
      page.say(event)
      await elapse(100)
      count += 5
      world.log.fill('42', count)
      await elapse(100)
      const isAway = event === 'pagehide' || event === 'freeze'
      expect(openOf(world)).toEqual(isAway ? [] : ['websocket'])
      if (!isAway) expect(loop.seqs).toEqual(upTo(count))
    }
    page.say('pageshow')
    await elapse(100)
    expect(loop.seqs).toEqual(upTo(count))
    // One link at the start, and one for each return.
    expect(world.links.length).toBeLessThanOrEqual(3)
  }
)

test('a pause that the server asked for passes while the page is away, and does not begin again at a second event', async () => {
  const { world, loop } = await reach(phases['pausing because the server asked for it'] as Phase) // as: it is there
  page.say('pagehide')
  await elapseRoughly(45_000)
  page.say('freeze')
  await elapseRoughly(1000)
  mend(world)
  page.say('pageshow')
  await elapse(100)
  expect(loop.seqs).toEqual(upTo(3))
})

test.each(['just before pagehide, as in WebKit, does not demote', 'long before pagehide demotes'])('a cut %s the transport', async (when) => {
  const isWebKit = when.includes('WebKit')
  const { world, loop } = await reach(phases.live as Phase) // as: it is there
  for (let round = 0; round < 3; round += 1) {
    world.open[0]?.fail('cut')
    await elapse(isWebKit ? 10 : 1500)
    page.say('pagehide')
    await elapse(1000)
    page.say('pageshow')
    await elapse(1000)
  }
  world.log.fill('42', 9)
  await elapse(50)
  expect(loop.seqs).toEqual(upTo(9))
  // Only a cut of a page that stays counts against a transport.
  expect(world.diagnosticsOf('demoted').length > 0).toBe(!isWebKit)
  expect(world.open.map(({ transport }) => transport)).toEqual([isWebKit ? 'websocket' : 'sse'])
})

test('the memory is read again where the page was put away meanwhile', async () => {
  const winner = { transport: 'long-poll', latencyMs: 5, at: performance.timeOrigin + performance.now(), records: {} }
  const answers: Promise<unknown>[] = [new Promise(() => {}), Promise.resolve(winner)]
  const world = createWorld({ memory: { read: () => answers.shift() ?? Promise.resolve(), write: async () => {} } })
  world.log.create('42')
  run(world.client.subscribe('42'))
  await elapse(10)
  page.say('pagehide')
  await elapse(10)
  page.say('pageshow')
  await elapse(20)
  expect(world.links.map(({ transport }) => transport)).toEqual(['long-poll'])
})
