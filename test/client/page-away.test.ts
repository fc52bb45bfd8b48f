/** A page that is put away, into the back/forward cache or frozen, at any moment: nothing stays open, and the job goes on when it is back. */

import { describe, expect, test, vi } from 'vitest'
import type { Subscription } from '../../src/types.ts'
import { all, asked, mend, openOf, type Phase, phases, reach } from './page-phases.ts'
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
    ['freeze', 'focus'] // Android says no more than that
  ] as const)('by %s: everything is let go at once, and taken up at %s', async (leave, back) => {
    const { world, loop } = await reach(phase)
    page.say(leave)
    await elapse(0)
    expect(openOf(world)).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
    const before = asked(world)
    world.log.fill('42', 60)
    await elapseRoughly(120_000)
    expect(asked(world)).toBe(before)
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
    ['its loop is left', (_: World, job: Subscription) => job.close()],
    ['the client is closed', ({ client }: World) => client.close()]
  ])('and %s: nothing is left, and coming back does nothing', async (_, end) => {
    const { world, job, loop } = await reach(phase)
    page.say('pagehide')
    await elapse(0)
    end(world, job)
    await expectNothingLeft(world)
    expect(loop.state).toBe('ended')
    expect(page.listeners).toBe(0)
    const before = asked(world)
    page.say('pageshow')
    await elapseRoughly(60_000)
    expect(asked(world)).toBe(before)
  })
})

test('before anybody reads, and after the last one has left, nobody listens to the page', async () => {
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

test('each round listens to the page once, however many there are', async () => {
  const world = createWorld({ scripts: all(failing('network')) })
  world.http.faults.events = 'break'
  world.log.create('42')
  run(world.client.subscribe('42'))
  await elapse(100)
  const before = page.listeners
  await elapseRoughly(120_000)
  expect(page.listeners).toBe(before)
})

test('left and taken up in one task, since nothing runs while it is away: nothing is asked for', async () => {
  const { world, job } = await reach(phases.live as Phase) // as: it is there
  page.say('pagehide')
  await elapse(0)
  const before = asked(world)
  job.close()
  page.say('pageshow')
  await elapse(100)
  expect(asked(world)).toBe(before)
  await expectNothingLeft(world)
})

function permutations<T>(values: readonly T[]): T[][] {
  if (values.length < 2) return [[...values]]
  return values.flatMap((first, index) => permutations(values.toSpliced(index, 1)).map((rest) => [first, ...rest]))
}

test.each(permutations<LifeEvent>(['freeze', 'pagehide', 'pageshow', 'resume']).map((order) => [order.join(', '), order] as const))('%s', async (_, order) => {
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
  // One link at the start, and one for each time that it came back.
  expect(world.links.length).toBeLessThanOrEqual(3)
})

test('a pause that the server has asked for is over while the page is away: it is not waited for again, however often that is told', async () => {
  const { world, loop } = await reach(phases['waiting because the server has asked for it'] as Phase) // as: it is there
  page.say('pagehide')
  await elapseRoughly(45_000)
  page.say('freeze')
  await elapseRoughly(1000)
  mend(world)
  page.say('pageshow')
  await elapse(100)
  expect(loop.seqs).toEqual(upTo(3))
})

test.each(['WebKit, which cuts what a page reads just before it tells that the page is put away', 'a cut that has nothing to do with it'])(
  '%s',
  async (whose) => {
    const isWebKit = whose.startsWith('WebKit')
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
    // Only what it does to a page that stays is held against a transport.
    expect(world.said('demoted').length > 0).toBe(!isWebKit)
    expect(world.open.map(({ transport }) => transport)).toEqual([isWebKit ? 'websocket' : 'sse'])
  }
)

test('what is remembered is asked for again where leaving has come in between', async () => {
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
