/** An unusually long silence makes a link suspect. A single read fetches what it may have missed, and a link that has missed something is replaced. */

import { describe, expect, test } from 'vitest'
import { type Frame, isControl } from '../../src/protocol/frames.ts'
import { page, problem } from './virtual-fetch.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { type Script, serving } from './virtual-transport.ts'
import { createWorld, type Loop, type Name, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()

const lesser: Script = (link) => link.fail('unsupported')

/** Serves until it is muted. Links that are open then stay open. */
function mutable(world: World): { mute(): void } {
  const muted: (() => void)[] = []
  for (const transport of Object.values(world.transports)) {
    const serve = serving(world.log)
    transport.script = (link) => {
      let isMute = false
      muted.push(() => {
        isMute = true
      })
      serve({ ...link, request: link.request, isOpen: true, push: (...frames: Frame[]) => isMute || link.push(...frames) } as never) // as: the getters are not copied, and not needed
    }
  }
  return {
    mute() {
      for (const each of muted) each()
    }
  }
}

interface Running {
  world: World
  loop: Loop
  mute(): void
  /** Appends an event every 50 ms. */
  work(events: number): Promise<void>
}

async function lively(only?: Name): Promise<Running> {
  const world = createWorld({ firstLook: false })
  const { mute } = mutable(world)
  if (only) for (const transport of Object.values(world.transports)) if (transport.name !== only) transport.script = lesser
  world.log.create('42')
  const loop = run(world.client.subscribe('42'))
  await elapse(1000)
  const work = async (events: number): Promise<void> => {
    for (let count = 0; count < events; count += 1) {
      world.log.fill('42', world.log.events('42').length + 1)
      await elapse(50)
    }
  }
  await work(100)
  return { world, loop, mute, work }
}

describe('a connection that falls silent without a close', () => {
  test.each(['websocket', 'sse', 'long-poll'] as const)(
    '%s: a single read brings its events within two seconds, and another connection does from then on',
    async (name) => {
      const { world, loop, mute, work } = await lively(name)
      mute()
      await work(30)
      expect(loop.seqs.length).toBeGreaterThanOrEqual(100 + 20)
      await work(70)
      expect(loop.seqs.length).toBeGreaterThanOrEqual(198)
      world.log.append('42', 'succeeded')
      await elapse(100)
      expect(loop).toMatchObject({ state: 'ended', seqs: upTo(201) })
      expect(world.diagnosticsOf('suspected')).toMatchObject([{ transport: name }])
      expect(world.diagnosticsOf('lost')).toMatchObject([{ transport: name, reason: 'silent' }])
    }
  )

  test('the end of the job is missed too: a single read brings it', async () => {
    const { world, loop, mute } = await lively()
    mute()
    world.log.append('42', 'succeeded')
    await elapse(1200)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(101) })
  })
})

test('a short poll needs no single read beside it: it reads after each pause anyway', async () => {
  const { world, loop } = await lively('short-poll')
  await elapse(20_000)
  expect(world.diagnosticsOf('suspected')).toEqual([])
  world.log.append('42', 'succeeded')
  await elapse(100)
  expect(loop.state).toBe('ended')
})

describe('a job that falls quiet', () => {
  test('keeps its connection, and costs a few single reads', async () => {
    const { world, loop } = await lively()
    const before = world.http.asked.length
    await elapseRoughly(10 * 60_000)
    expect(world.http.asked.length - before).toBeLessThanOrEqual(10)
    await elapseRoughly(60 * 60_000)
    expect(world.http.asked.length - before).toBeLessThanOrEqual(13)
    expect(world.diagnosticsOf('lost')).toEqual([])
    expect(world.links.map(({ transport }) => transport)).toEqual(['websocket'])
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loop.state).toBe('ended')
  })

  test('between bursts: at most one single read for each pause, and none once the pauses are known', async () => {
    const { world, work } = await lively()
    const before = world.http.asked.length
    for (let burst = 0; burst < 10; burst += 1) {
      await elapse(2500)
      await work(20)
    }
    expect(world.http.asked.length - before).toBeLessThanOrEqual(3)
    expect(world.diagnosticsOf('lost')).toEqual([])
  })

  test('and whose next event comes during the single read keeps its connection', async () => {
    const { world, loop } = await lively()
    await elapse(945)
    world.log.fill('42', 101)
    await elapse(1500)
    world.log.fill('42', 102)
    await elapse(500)
    expect(loop.seqs).toEqual(upTo(102))
    expect(world.diagnosticsOf('lost')).toEqual([])
  })
})

describe('a single read that fails', () => {
  test.each([
    ['hangs', 'hang' as const],
    ['breaks', 'break' as const],
    ['is answered by an intermediary', page(502)],
    ['is answered as busy', problem(503, 'busy', { 'retry-after': '5' })],
    ['is refused with 401', problem(401, 'unauthorized')],
    ['is refused with 403', problem(403, 'forbidden')],
    ['is refused with 404', problem(404, 'unknown-job')]
  ])('%s: the connection stays', async (_, fault) => {
    const { world, loop, work } = await lively()
    world.http.faults.events = fault
    await elapse(12_000)
    expect(world.diagnosticsOf('suspected').length).toBeGreaterThan(0)
    expect(world.diagnosticsOf('lost')).toEqual([])
    await work(20)
    expect(loop.state).toBe('running')
    expect(loop.seqs).toEqual(upTo(120))
    expect(world.links).toHaveLength(1)
  })
})

test('a connection with heartbeats but no events is replaced', async () => {
  const world = createWorld({ firstLook: false })
  const serve = serving(world.log, { heartbeatMs: 2000 })
  world.transports.websocket.script = (link) => {
    serve({ ...link, request: link.request, isOpen: true, push: (...frames: Frame[]) => link.push(...frames.filter(isControl)) } as never) // as: the getters are not copied, and not needed
  }
  world.log.fill('42', 1)
  const loop = run(world.client.subscribe('42'))
  await elapse(100)
  world.log.fill('42', 5)
  await elapse(3000)
  expect(loop.seqs).toEqual(upTo(5))
  expect(world.diagnosticsOf('lost')).toMatchObject([{ transport: 'websocket', reason: 'silent' }])
})

test('a quiet job: no single reads once its pauses are known, and a dead connection is noticed within two and a half heartbeats', async () => {
  const world = createWorld({ firstLook: false })
  const { mute } = mutable(world)
  world.log.create('42')
  run(world.client.subscribe('42'))
  for (let minute = 1; minute <= 10; minute += 1) {
    await elapseRoughly(60_000)
    world.log.fill('42', minute)
  }
  await elapse(100)
  expect(world.diagnosticsOf('suspected').length).toBeLessThanOrEqual(4)
  expect(world.diagnosticsOf('lost')).toEqual([])
  mute()
  await elapseRoughly(37_500)
  expect(world.diagnosticsOf('lost')).toMatchObject([{ reason: 'silent' }])
})
