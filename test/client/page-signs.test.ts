/** Reactions to what the page tells: offline and online, visible again, awake after a sleep. Each leads to one single read, and never to many requests. */

import { describe, expect, test, vi } from 'vitest'
import type { Subscription } from '../../src/types.ts'
import { mend, type Phase, phases, reach, requestCount } from './page-phases.ts'
import { type LifeEvent, useVirtualPage } from './virtual-page.ts'
import { elapse, elapseRoughly, settle, throttleTimers } from './virtual-time.ts'
import { failing, hanging, type Script, serving } from './virtual-transport.ts'
import { createWorld, type Loop, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()
const page = useVirtualPage()

test('repeated offline, online and visibility events in one task lead to a handful of requests', async () => {
  const { world, loop } = await reach(phases.live as Phase) // as: it is there
  const before = requestCount(world)
  const events: LifeEvent[] = ['pagehide', 'freeze', 'resume', 'pageshow']
  for (let round = 0; round < 20; round += 1) for (const event of events) page.say(event)
  for (let round = 0; round < 20; round += 1) {
    page.show(false)
    page.show(true)
    page.connect(false)
    page.connect(true)
    page.change(`net-${round % 3}`)
  }
  await elapse(2000)
  expect(requestCount(world) - before).toBeLessThanOrEqual(4)
  world.log.fill('42', 9)
  await elapse(50)
  expect(loop.seqs).toEqual(upTo(9))
})

test('twenty such events during a silence lead to one single read', async () => {
  const { world, job } = await reach(phases.live as Phase) // as: it is there
  await elapse(3000)
  const before = requestCount(world)
  for (let round = 0; round < 20; round += 1) {
    page.show(true)
    page.connect(true)
    page.change('wifi')
  }
  await elapse(500)
  expect(requestCount(world) - before).toBe(1)
  expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'websocket' })
  expect(world.diagnosticsOf('lost')).toEqual([])
})

describe('offline', () => {
  const isDown = (world: World): void => {
    for (const transport of Object.values(world.transports)) transport.script = failing('network')
    world.http.faults.events = 'break'
    for (const link of world.open) link.fail('network')
  }

  test('is reported, pauses all tries, and ends as soon as the browser is online', async () => {
    const { world, job, loop } = await reach({ ...phases.live, retry: { maxMs: 60_000 } } as Phase) // as: it is there
    page.connect(false)
    isDown(world)
    await elapse(1000)
    expect(job.state.connection.phase).toBe('offline')
    const before = requestCount(world)
    await elapseRoughly(25_000)
    page.show(false)
    page.show(true)
    page.change('none')
    await elapse(50)
    expect(job.state.connection.phase).toBe('offline')
    expect(requestCount(world) - before).toBe(0)
    mend(world)
    world.log.fill('42', 8)
    page.connect(true)
    await elapse(50)
    expect(job.state.connection.phase).toBe('live')
    expect(loop.seqs).toEqual(upTo(8))
    expect(world.diagnostics.filter(({ type }) => type === 'offline' || type === 'online').map(({ type }) => type)).toEqual(['offline', 'online'])
  })

  test('ends a link that is cut without a close, where a single read fails too', async () => {
    const { world, job } = await reach(phases.live as Phase) // as: it is there
    for (const transport of Object.values(world.transports)) transport.script = failing('network')
    world.http.faults.events = 'break'
    await elapse(3000)
    page.connect(false)
    await elapse(1000)
    expect(world.diagnosticsOf('lost')).toMatchObject([{ transport: 'websocket', reason: 'silent' }])
    expect(job.state.connection.phase).toBe('offline')
  })

  test('is only a hint: where the browser is wrong, the job goes on', async () => {
    const { world, job, loop } = await reach(phases.live as Phase) // as: it is there
    page.connect(false)
    await elapse(10_000)
    world.log.fill('42', 8)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(8))
    expect(job.state.connection.phase).toBe('live')
  })

  test('during a backoff is reported, and so is its end', async () => {
    const { world, job } = await reach(phases['pausing before the next race'] as Phase) // as: it is there
    page.connect(false)
    expect(job.state.connection.phase).toBe('offline')
    mend(world)
    page.connect(true)
    await elapse(50)
    expect(job.state.connection.phase).toBe('live')
  })

  test('and online again do not shorten a pause that the server asked for', async () => {
    const { world, job } = await reach(phases['pausing because the server asked for it'] as Phase) // as: it is there
    const before = requestCount(world)
    mend(world)
    for (let round = 0; round < 5; round += 1) {
      page.connect(false)
      page.connect(true)
      page.show(false)
      page.show(true)
      page.say('freeze')
      page.say('resume')
      await elapse(1000)
    }
    expect(requestCount(world)).toBe(before)
    expect(job.state.connection.phase).toBe('waiting')
    await elapseRoughly(36_000)
    expect(job.state.connection.phase).toBe('live')
  })
})

describe('a sleep of an hour', () => {
  const sleep = (): void => void vi.setSystemTime(Date.now() + 3_600_000)

  /** Serves the events so far and then nothing more, as a connection that did not survive the sleep. */
  const dead =
    (log: World['log']): Script =>
    (link) =>
      link.after(10, () => {
        link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 })
        for (const { job, ref } of link.jobs) link.push(log.subscribed(job, 0, ref), ...log.framesAfter(job, 0).frames)
      })

  async function asleep(isDead: boolean): Promise<{ world: World; loop: Loop; reads(): number }> {
    const world = createWorld()
    if (isDead) world.transports.websocket.script = dead(world.log)
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapse(3000)
    const before = requestCount(world)
    sleep()
    world.transports.websocket.script = serving(world.log)
    return { world, loop, reads: () => requestCount(world) - before }
  }

  /** What can reveal the sleep, and after how many ms at the latest. Without any event it is half a heartbeat. */
  const signs: [string, () => void, number][] = [
    ['a visible page', () => page.show(true), 20],
    ['the online event', () => page.connect(true), 20],
    ['a change of network', () => page.change('cellular'), 20],
    ['a late timer', () => {}, 8000]
  ]

  test.each(signs)('noticed by %s: one single read, and a working link stays', async (_, tell, ms) => {
    const { world, loop, reads } = await asleep(false)
    tell()
    await elapseRoughly(ms)
    expect(reads()).toBeLessThanOrEqual(1)
    // A quiet job without a sleep costs no more single reads than this.
    await elapseRoughly(120_000)
    expect(reads()).toBeLessThanOrEqual(6)
    expect(world.starts).toEqual(['websocket@0'])
    world.log.fill('42', 5)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(5))
  })

  test('noticed although an event came just before the sleep', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    run(world.client.subscribe('42'))
    await elapse(3000)
    world.log.fill('42', 4)
    await elapse(50)
    const before = requestCount(world)
    sleep()
    page.show(true)
    await elapse(20)
    expect(requestCount(world) - before).toBe(1)
  })

  test.each(signs)('noticed by %s: a single read that brings more than the link replaces the link', async (_, tell, ms) => {
    const { world, loop, reads } = await asleep(true)
    world.log.fill('42', 5)
    tell()
    await elapseRoughly(ms)
    expect(loop.seqs).toEqual(upTo(5))
    await elapse(600)
    expect(world.diagnosticsOf('lost')).toMatchObject([{ transport: 'websocket', reason: 'silent' }])
    expect(world.open.map(({ transport, startedAt }) => [transport, startedAt > 3000])).toEqual([['websocket', true]])
    // One single read beside the old link, the new link, and the first read of its race.
    expect(reads()).toBeLessThanOrEqual(3)
    world.log.fill('42', 7)
    await elapse(50)
    expect(loop.seqs).toEqual(upTo(7))
  })

  test.each(signs)('noticed by %s: a link that stays silent is replaced, even on a quiet job', async (_, tell) => {
    const { world, reads } = await asleep(true)
    tell()
    await elapseRoughly(40_000)
    expect(world.diagnosticsOf('lost')).toMatchObject([{ transport: 'websocket', reason: 'silent' }])
    expect(world.open.map(({ startedAt }) => startedAt > 3000)).toEqual([true])
    expect(reads()).toBeLessThanOrEqual(5)
  })
})

describe('a page that is hidden, whose timers fire once a minute (Chrome, after five minutes)', () => {
  const MINUTE_MS = 60_000
  let isHidden = false

  async function quiet(): Promise<{ world: World; job: Subscription; loop: Loop; reads(): number }> {
    isHidden = false
    throttleTimers(MINUTE_MS, () => isHidden)
    const reached = await reach(phases.live as Phase) // as: it is there
    const before = reached.world.http.asked.length
    return { ...reached, reads: () => reached.world.http.asked.length - before }
  }
  const hide = (hidden: boolean): void => {
    isHidden = hidden
    page.show(!hidden)
  }
  async function passMinutes(minutes: number): Promise<void> {
    for (let left = minutes * 60; left > 0; left -= 1) {
      await vi.advanceTimersByTimeAsync(1000)
      await settle()
    }
  }

  test('reads a quiet job in four hours about as often as a visible page does: a late timer alone is no sign of a sleep', { timeout: 120_000 }, async () => {
    const seen = await quiet()
    await passMinutes(240)
    const visible = seen.reads()
    expect(visible).toBeLessThanOrEqual(15)
    seen.world.client.close()
    vi.mocked(setTimeout).mockRestore()

    const { world, job, loop, reads } = await quiet()
    hide(true)
    await passMinutes(240)
    expect(reads()).toBeLessThanOrEqual(visible + 2)
    expect(world.diagnosticsOf('lost')).toEqual([])
    expect(job.state.connection).toMatchObject({ phase: 'live', transport: 'websocket' })
    world.log.fill('42', 5)
    await settle()
    expect(loop.seqs).toEqual(upTo(5))
  })

  test('notices a dead connection within minutes', async () => {
    const { world, loop } = await quiet()
    hide(true)
    await passMinutes(10)
    const [link] = world.open
    if (link) link.push = () => {}
    world.log.fill('42', 6)
    await passMinutes(5)
    expect(world.diagnosticsOf('lost')).toMatchObject([{ transport: 'websocket', reason: 'silent' }])
    expect(loop.seqs).toEqual(upTo(6))
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
  })

  test('gives up transports that never answer, and goes on once one delivers', async () => {
    const { world, job, loop } = await quiet()
    hide(true)
    for (const transport of Object.values(world.transports)) transport.script = hanging
    world.http.faults.events = 'hang'
    world.open[0]?.fail('cut')
    await passMinutes(10)
    expect(world.diagnosticsOf('probe-failed').map(({ transport }) => transport)).toContain('websocket')
    mend(world)
    world.log.fill('42', 6)
    await passMinutes(5)
    expect(job.state.connection.phase).toBe('live')
    expect(loop.seqs).toEqual(upTo(6))
  })

  test('makes at most one request when it becomes visible again', async () => {
    const { job, reads } = await quiet()
    hide(true)
    await passMinutes(30)
    const before = reads()
    hide(false)
    await passMinutes(1)
    expect(reads() - before).toBeLessThanOrEqual(1)
    expect(job.state.connection.phase).toBe('live')
  })
})
