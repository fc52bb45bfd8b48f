/** Several jobs and several readers on one client. */

import { describe, expect, test } from 'vitest'
import { elapse } from './virtual-time.ts'
import { hanging, type Script, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, type Loop, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()

const follow = (world: World, jobs: readonly string[]): Map<string, Loop> => new Map(jobs.map((job) => [job, run(world.client.subscribe(job))]))

describe('jobs share one link', () => {
  test('which changes its jobs in place where the transport can', async () => {
    const world = createWorld()
    for (const job of ['1', '2', '3']) world.log.fill(job, 2)
    const loops = follow(world, ['1', '2'])
    await elapse(100)
    loops.set('3', run(world.client.subscribe('3')))
    await elapse(100)
    for (const job of ['1', '2', '3']) world.log.fill(job, 5)
    await elapse(50)
    for (const loop of loops.values()) expect(loop.seqs).toEqual(upTo(5))
    expect(world.links).toHaveLength(1)
  })

  test('or is replaced by another link where it cannot: nothing is lost or repeated', async () => {
    const world = createWorld({ canUpdate: false, firstLook: false })
    for (const job of ['1', '2', '3']) world.log.fill(job, 2)
    const loops = follow(world, ['1', '2'])
    for (let seq = 3; seq <= 60; seq += 1) {
      if (seq === 30) loops.set('3', run(world.client.subscribe('3')))
      for (const job of ['1', '2', '3']) world.log.fill(job, seq)
      await elapse(5)
    }
    await elapse(50)
    for (const loop of loops.values()) expect(loop.seqs).toEqual(upTo(60))
    expect(world.open).toHaveLength(1)
    expect(world.open[0]?.jobs.map(({ job }) => job).sort()).toEqual(['1', '2', '3'])
    expect(world.diagnosticsOf('lost')).toEqual([])
  })

  test('and while another link is needed, the other transports are candidates', async () => {
    const world = createWorld({ canUpdate: false, firstLook: false, scripts: { websocket: hanging } })
    for (const job of ['1', '2']) world.log.fill(job, 2)
    const [first] = follow(world, ['1']).values()
    await elapse(1000)
    world.transports.sse.script = hanging
    const second = run(world.client.subscribe('2'))
    for (const job of ['1', '2']) world.log.fill(job, 4)
    await elapse(300)
    // The old event stream is read on meanwhile. The new one hangs, and so does a WebSocket beside it.
    expect(first?.seqs).toEqual(upTo(4))
    await elapse(500)
    expect(second.seqs).toEqual(upTo(4))
    expect(world.open.map(({ transport }) => transport)).toContain('long-poll')
  })

  test('and a job that has ended or is left is removed from it', async () => {
    const world = createWorld()
    for (const job of ['1', '2', '3']) world.log.fill(job, 2)
    const second = world.client.subscribe('2')
    const loops = [run(world.client.subscribe('1')), run(second), run(world.client.subscribe('3'))]
    await elapse(100)
    world.log.append('1', 'succeeded')
    second.close()
    await elapse(50)
    expect(loops.map(({ state }) => state)).toEqual(['ended', 'ended', 'running'])
    expect(world.open[0]?.jobs.map(({ job }) => job)).toEqual(['3'])
    world.log.append('3', 'failed')
    await elapse(50)
    await expectNothingLeft(world)
  })

  test('which goes on when another job fails, is unknown, or has ended long ago', async () => {
    const world = createWorld()
    world.log.fill('good', 2)
    world.log.append('ended', 'succeeded', 7)
    const loops = follow(world, ['good', 'unknown', 'ended'])
    await elapse(6000)
    world.log.fill('good', 4)
    await elapse(50)
    expect(loops.get('good')).toMatchObject({ state: 'running', seqs: upTo(4) })
    expect(loops.get('unknown')?.error).toMatchObject({ code: 'unknown-job' })
    expect(loops.get('ended')).toMatchObject({ state: 'ended', seqs: [1] })
  })
})

describe('two readers of one job', () => {
  test('at different positions share one reading', async () => {
    const world = createWorld({ firstLook: false })
    world.log.fill('42', 20)
    const first = run(world.client.subscribe('42'))
    await elapse(100)
    const late = run(world.client.subscribe('42', { after: 'e1-15' }))
    const tail = run(world.client.subscribe('42', { after: 'tail' }))
    const whole = run(world.client.subscribe('42'))
    await elapse(200)
    world.log.fill('42', 25)
    await elapse(50)
    expect(first.seqs).toEqual(upTo(25))
    expect(late.seqs).toEqual(upTo(25, 16))
    expect(tail.seqs).toEqual(upTo(25, 21))
    expect(whole.seqs).toEqual(upTo(25))
    expect(world.links).toHaveLength(1)
    expect(world.open[0]?.jobs).toHaveLength(1)
  })

  test('one closes, and the other goes on', async () => {
    const world = createWorld()
    world.log.fill('42', 2)
    const closing = world.client.subscribe('42')
    run(closing)
    const other = run(world.client.subscribe('42'))
    await elapse(100)
    closing.close()
    world.log.fill('42', 4)
    await elapse(50)
    expect(other.seqs).toEqual(upTo(4))
    expect(world.links).toHaveLength(1)
  })

  test.each([true, false])('a slow one is paused, holds up nobody, and gets every event in the end (update: %s)', async (canUpdate) => {
    const world = createWorld({ bufferSize: 20, canUpdate })
    world.log.fill('42', 5)
    const fast = run(world.client.subscribe('42'))
    const slow = world.client.subscribe('42')[Symbol.asyncIterator]()
    const seqs: number[] = []
    const take = async (): Promise<void> => {
      const next = slow.next()
      await elapse(15)
      const { value } = await next
      seqs.push(value.seq)
    }
    await take()
    for (let seq = 6; seq <= 200; seq += 1) {
      world.log.fill('42', seq)
      await elapse(5)
    }
    await elapse(50)
    expect(fast.seqs).toEqual(upTo(200))
    expect(world.diagnosticsOf('paused')).toHaveLength(1)
    expect(world.diagnosticsOf('resumed')).toEqual([])
    while (seqs.length < 200) await take()
    expect(seqs).toEqual(upTo(200))
    expect(world.diagnosticsOf('resumed').length).toBeGreaterThan(1)
    expect(world.diagnosticsOf('gap')).toEqual([])
    world.log.append('42', 'succeeded')
    await take()
    expect(fast.state).toBe('ended')
    await slow.return?.()
    await expectNothingLeft(world)
  })

  test('a slow one alone: its link is closed, and resumes from the last queued event', async () => {
    const world = createWorld({ bufferSize: 10, firstLook: false })
    world.log.fill('42', 30)
    const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
    const first = iterator.next()
    await elapse(50)
    await first
    expect(world.open).toEqual([])
    for (let taken = 2; taken <= 24; taken += 1) await iterator.next()
    await elapse(10)
    expect(world.open).toEqual([])
    await iterator.next()
    await elapse(50)
    expect(world.links.map(({ request }) => request.jobs[0]?.after)).toEqual([undefined, 'e1-30'])
    await iterator.return?.()
  })

  test('a slow one is also paused by bufferBytes', async () => {
    const world = createWorld({ bufferBytes: 10_000 })
    for (let index = 0; index < 5; index += 1) world.log.append('42', 'output', 'x'.repeat(4000))
    const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
    const first = iterator.next()
    await elapse(50)
    await first
    expect(world.diagnosticsOf('paused')).toHaveLength(1)
    for (let taken = 0; taken < 4; taken += 1) await iterator.next()
    expect(world.diagnosticsOf('resumed')).toHaveLength(1)
    await iterator.return?.()
  })
})

describe('mux', () => {
  test.each([1, 2])('%i: as many links as the jobs need', async (mux) => {
    const world = createWorld({ firstLook: false })
    for (const transport of Object.values(world.transports)) transport.script = serving(world.log, { mux })
    const jobs = ['1', '2', '3', '4', '5']
    for (const job of jobs) world.log.fill(job, 2)
    const loops = follow(world, jobs)
    await elapse(300)
    for (const job of jobs) world.log.fill(job, 4)
    await elapse(50)
    for (const loop of loops.values()) expect(loop.seqs).toEqual(upTo(4))
    expect(world.open).toHaveLength(Math.ceil(5 / mux))
    for (const link of world.links) for (const list of link.lists) expect(list.length).toBeLessThanOrEqual(mux)
  })

  test('a link with a free place takes the next job', async () => {
    const world = createWorld({ firstLook: false })
    world.transports.websocket.script = serving(world.log, { mux: 1 })
    for (const job of ['1', '2', '3']) world.log.fill(job, 2)
    follow(world, ['1', '2'])
    await elapse(200)
    world.log.append('1', 'succeeded')
    await elapse(50)
    const third = run(world.client.subscribe('3'))
    await elapse(100)
    expect(third.seqs).toEqual([1, 2])
    expect(world.open).toHaveLength(2)
  })

  test('a job is read once, even if another link has room for it', async () => {
    const world = createWorld({ firstLook: false })
    world.transports.websocket.script = serving(world.log, { mux: 1 })
    for (const job of ['1', '2']) world.log.fill(job, 2)
    const first = world.client.subscribe('1')
    run(first)
    run(world.client.subscribe('2'))
    await elapse(200)
    first.close()
    await elapse(50)
    const again = run(world.client.subscribe('2'))
    await elapse(200)
    expect(again.seqs).toEqual([1, 2])
    expect(world.open).toHaveLength(1)
  })

  test.each([true, false])('two hundred jobs: each link has at most `mux`, and no job is read twice (update: %s)', async (canUpdate) => {
    const world = createWorld({ canUpdate })
    const jobs = Array.from({ length: 200 }, (_, index) => `job-with-a-rather-long-name-${index}`)
    for (const job of jobs) world.log.fill(job, 2)
    const loops = follow(world, jobs)
    await elapse(1500)
    for (const job of jobs) world.log.fill(job, 4)
    await elapse(100)
    for (const loop of loops.values()) expect(loop.seqs).toEqual(upTo(4))
    for (const link of world.links) {
      for (const list of link.lists) expect(list.length).toBeLessThanOrEqual(128)
    }
    const carried = world.open.flatMap((link) => link.jobs.map(({ job }) => job))
    expect(carried.length).toBe(200)
    expect(new Set(carried).size).toBe(200)
  })
})

test('jobs that are added while no transport answers still get a first read', async () => {
  const world = createWorld({ scripts: { websocket: hanging, sse: hanging, 'long-poll': hanging, 'short-poll': hanging } })
  for (const job of ['1', '2', '3']) world.log.fill(job, 3)
  const loops = follow(world, ['1', '2'])
  await elapse(40)
  loops.set('3', run(world.client.subscribe('3')))
  await elapse(40)
  for (const loop of loops.values()) expect(loop.seqs).toEqual(upTo(3))
})

test('a server that gives two readers of one job an epoch each does not cause a loop of requests', async () => {
  // No link can serve both readers, and none can change its jobs in place.
  const perEpoch: Script = (link) =>
    link.after(10, () => {
      link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 })
      for (const { job, after = 'e0-0', ref } of link.jobs)
        link.push({ control: 'subscribed', job, ref, epoch: after.split('-')[0] ?? '', seq: 0, cursor: after, status: 'running' })
    })
  const world = createWorld({
    canUpdate: false,
    firstLook: false,
    scripts: { websocket: perEpoch, sse: perEpoch, 'long-poll': perEpoch, 'short-poll': perEpoch }
  })
  for (const after of ['e1-0', 'e2-0']) run(world.client.subscribe('42', { after }))
  await elapse(10_000)
  // A loop would make some hundreds.
  expect(world.links.length).toBeLessThan(60)
})
