/** A page is put away while it reads several jobs, one of them paused or just added. When it is back, only the jobs that are read are resumed. */

import { describe, expect, test, vi } from 'vitest'
import { busy, mend, openOf, requestCount } from './page-phases.ts'
import { useVirtualPage } from './virtual-page.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { hanging, type Script } from './virtual-transport.ts'
import { createWorld, type Loop, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()
const page = useVirtualPage()

test('with one reader paused and one reading: only the second resumes, the first when its reader goes on', async () => {
  const world = createWorld({ bufferSize: 10 })
  world.log.fill('42', 50)
  world.log.fill('43', 3)
  const slow = world.client.subscribe('42')[Symbol.asyncIterator]()
  const first = slow.next()
  const loop = run(world.client.subscribe('43'))
  await elapse(500)
  await first
  expect(world.diagnosticsOf('paused')).toHaveLength(1)
  page.say('pagehide')
  await elapse(0)
  expect(openOf(world)).toEqual([])
  world.log.fill('43', 6)
  page.say('pageshow')
  await elapse(100)
  expect(loop.seqs).toEqual(upTo(6))
  expect(world.open.map(({ jobs }) => jobs.map(({ job }) => job))).toEqual([['43']])
  const seqs = [1]
  for (let seq = 2; seq <= 50; seq += 1) {
    const pending = slow.next()
    await elapse(20)
    seqs.push((await pending).value?.seq ?? 0)
  }
  expect(seqs).toEqual(upTo(50))
})

describe('a transport that cannot change its jobs in place', () => {
  /** Two jobs, the second one added later: the link of the first is read on while a race looks for a link for both. */
  async function overlapping(script: Script): Promise<{ world: World; loops: Loop[] }> {
    const world = createWorld({ canUpdate: false, firstLook: false })
    world.log.fill('42', 3)
    world.log.fill('43', 3)
    const loops = [run(world.client.subscribe('42'))]
    await elapse(1000)
    for (const transport of Object.values(world.transports)) transport.script = script
    loops.push(run(world.client.subscribe('43')))
    await elapse(600)
    return { world, loops }
  }

  async function awayAndBack(world: World, loops: Loop[]): Promise<void> {
    page.say('pagehide')
    await elapse(0)
    expect(openOf(world)).toEqual([])
    const before = requestCount(world)
    await elapseRoughly(60_000)
    expect(requestCount(world)).toBe(before)
    expect(vi.getTimerCount()).toBe(0)
    mend(world)
    page.say('pageshow')
    await elapse(1000)
    for (const [index, job] of ['42', '43'].entries()) {
      world.log.fill(job, 9)
      await elapse(50)
      expect(loops[index]?.seqs).toEqual(upTo(9))
    }
  }

  test('while the race for the new link connects', async () => {
    const { world, loops } = await overlapping(hanging)
    expect(openOf(world)).toEqual(['websocket', 'websocket', 'sse', 'long-poll'])
    await awayAndBack(world, loops)
  })

  test('while the race for the new link pauses and then connects', async () => {
    const { world, loops } = await overlapping(busy(1000))
    const [first] = world.open
    expect(openOf(world)).toEqual(['websocket'])
    for (const transport of Object.values(world.transports)) transport.script = hanging
    await elapse(3000)
    expect(first?.isOpen).toBe(true)
    expect(world.open.length).toBeGreaterThan(2)
    await awayAndBack(world, loops)
  })
})
