/** Where a reading resumes, and what is reported where history is lost (PROTOCOL.md §6). */

import { describe, expect, test } from 'vitest'
import type { JobEvent } from '../../src/types.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { hanging, serving } from './virtual-transport.ts'
import { createWorld, NAMES, run, upTo, useVirtualTime, type World } from './world.ts'

useVirtualTime()

/** Cuts the open links, and lets the client reconnect. */
async function cut(world: World, meanwhile: () => void): Promise<void> {
  for (const link of world.open) link.fail('cut')
  meanwhile()
  await elapse(1500)
}

const gapOf = (events: readonly JobEvent[]): JobEvent | undefined => events.find(({ type }) => type === 'gap')

describe.each([...NAMES])('over %s', (name) => {
  const only = (world: World): void => {
    for (const each of NAMES) if (each !== name) world.transports[each].script = hanging
  }

  test('cut at any point, it resumes from its cursor', async () => {
    const world = createWorld({ firstLook: false })
    only(world)
    const loop = run(world.client.subscribe('42'))
    world.log.create('42')
    await elapse(1000)
    for (let seq = 5; seq <= 50; seq += 5) {
      world.log.fill('42', seq)
      await elapse(5)
      await cut(world, () => world.log.fill('42', seq + 2))
    }
    world.log.append('42', 'succeeded')
    await elapse(2000)
    expect(loop).toMatchObject({ state: 'ended', seqs: upTo(53) })
    const cursors = world.links.filter(({ transport }) => transport === name).map(({ request }) => request.jobs[0]?.after)
    expect(cursors).toContain('e1-5')
    expect(gapOf(loop.events)).toBeUndefined()
  })
})

describe('lost to retention', () => {
  test('is a gap event in the loop, which says what was missed', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.subscribe('42')
    const loop = run(job)
    await elapse(100)
    await cut(world, () => {
      world.log.fill('42', 20)
      world.log.trim('42', 10)
    })
    expect(loop.seqs).toEqual([...upTo(3), 3, ...upTo(20, 11)])
    expect(gapOf(loop.events)).toMatchObject({ id: 'e1-3', seq: 3, job: '42', data: { missed: 7, reason: 'retention' } })
    expect(world.diagnosticsOf('gap')).toMatchObject([{ job: '42', missed: 7 }])
    expect(job.state.lastEventId).toBe('e1-20')
  })

  test('before the first event is a gap too', async () => {
    const world = createWorld()
    world.log.fill('42', 20)
    world.log.trim('42', 10)
    const loop = run(world.client.subscribe('42'))
    await elapse(100)
    expect(loop.events[0]).toMatchObject({ type: 'gap', id: '', seq: 0, data: { missed: 10, reason: 'retention' } })
    expect(loop.seqs.slice(1)).toEqual(upTo(20, 11))
  })

  test('after a given cursor is a gap of unknown size', async () => {
    const world = createWorld()
    world.log.fill('42', 20)
    world.log.trim('42', 10)
    const loop = run(world.client.subscribe('42', { after: 'e1-4' }))
    await elapse(100)
    expect(loop.events[0]).toMatchObject({ type: 'gap', id: 'e1-4', seq: 0, data: { missed: undefined, reason: 'retention' } })
    expect(loop.seqs.slice(1)).toEqual(upTo(20, 11))
  })

  test("is thrown after the events before it, with `onGap: 'throw'`", async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const job = world.client.subscribe('42', { onGap: 'throw' })
    const loop = run(job)
    await elapse(100)
    await cut(world, () => {
      world.log.fill('42', 20)
      world.log.trim('42', 10)
    })
    expect(loop).toMatchObject({ seqs: upTo(3), error: { name: 'JobtailError', code: 'gap', message: 'job 42: 7 events after e1-3 are lost (retention)' } })
    await expect(job.result).rejects.toBe(loop.error)
    expect(world.open).toEqual([])
  })

  test('is not reported where nothing was lost', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42', { onGap: 'throw' }))
    await elapse(100)
    await cut(world, () => {
      world.log.fill('42', 20)
      world.log.trim('42', 3)
    })
    expect(loop).toMatchObject({ state: 'running', seqs: upTo(20) })
  })
})

test('a replaced log is a gap, and is read from its start', async () => {
  const world = createWorld()
  world.log.fill('42', 5)
  const job = world.client.subscribe('42')
  const loop = run(job)
  await elapse(100)
  await cut(world, () => {
    world.log.rebuild('42')
    world.log.fill('42', 2)
  })
  expect(loop.events.map(({ id, type }) => `${type} ${id}`).slice(5)).toEqual(['gap e1-5', 'progress e2-1', 'progress e2-2'])
  expect(gapOf(loop.events)?.data).toEqual({ missed: undefined, reason: 'epoch' })
  expect(job.state.lastEventId).toBe('e2-2')
})

test('a reader that persists lastEventId and returns gets the rest, once', async () => {
  const world = createWorld()
  world.log.fill('42', 10)
  const first = world.client.subscribe('42')
  const had: number[] = []
  const reading = (async () => {
    for await (const { seq } of first) {
      had.push(seq)
      if (seq === 6) break
    }
  })()
  await elapse(100)
  await reading
  const { lastEventId } = first.state
  expect(lastEventId).toBe('e1-6')
  const loop = run(world.client.subscribe('42', { after: lastEventId }))
  await elapse(100)
  expect([...had, ...loop.seqs]).toEqual(upTo(10))
})

describe('tail', () => {
  test('delivers only new events, and loses none of them to a cut', async () => {
    const world = createWorld()
    world.log.fill('42', 10)
    const loop = run(world.client.subscribe('42', { after: 'tail', onGap: 'throw' }))
    await elapse(100)
    expect(loop.seqs).toEqual([])
    world.log.fill('42', 12)
    await elapse(10)
    await cut(world, () => world.log.fill('42', 15))
    expect(loop.seqs).toEqual(upTo(15, 11))
  })

  test('cut before the first new event, it resumes from where it began', async () => {
    const world = createWorld()
    world.log.fill('42', 10)
    const loop = run(world.client.subscribe('42', { after: 'tail' }))
    await elapse(100)
    await cut(world, () => world.log.fill('42', 13))
    expect(loop.seqs).toEqual(upTo(13, 11))
    expect(world.links.at(-1)?.request.jobs[0]?.after).toBe('e1-10')
  })

  test.each(['close', 'abort'])('left by %s before the first new event, it can be resumed from where it began', async (by) => {
    const world = createWorld()
    world.log.fill('42', 10)
    const controller = new AbortController()
    const job = world.client.subscribe('42', { after: 'tail', signal: controller.signal })
    run(job)
    await elapse(100)
    expect(job.state).toMatchObject({ lastEventId: 'e1-10', status: 'running' })
    if (by === 'close') job.close()
    else controller.abort()
    await elapse(10)
    world.log.fill('42', 13)
    const loop = run(world.client.subscribe('42', { after: job.state.lastEventId, onGap: 'throw' }))
    await elapse(100)
    expect(loop.seqs).toEqual(upTo(13, 11))
  })

  test.each(['snapshot', 'link'])('a loop that begins later gets what came since the state was watched from the tail that a %s told', async (by) => {
    const world = createWorld()
    if (by === 'link') world.http.faults.snapshot = 'break'
    world.log.fill('42', 10)
    const job = world.client.subscribe('42', { after: 'tail' })
    const leave = job.onChange(() => {})
    await elapse(100)
    expect(job.state.lastEventId).toBe('e1-10')
    leave()
    await elapse(10)
    world.log.fill('42', 13)
    const loop = run(job)
    await elapse(100)
    expect(loop.seqs).toEqual(upTo(13, 11))
  })

  test('two links and a single read that begin at different times lose no event', async () => {
    const world = createWorld()
    world.transports.websocket.script = serving(world.log, { delayMs: 320 })
    world.log.fill('42', 10)
    const loop = run(world.client.subscribe('42', { after: 'tail', onGap: 'throw' }))
    for (let seq = 11; seq <= 110; seq += 1) {
      await elapse(5)
      world.log.fill('42', seq)
    }
    await elapse(50)
    const [first = 0] = loop.seqs
    expect(loop.seqs).toEqual(upTo(110, first))
    expect(first).toBeLessThanOrEqual(13)
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
  })
})

test('a connection that lasted five seconds or more is reopened at once, on the same transport', async () => {
  const world = createWorld({ scripts: { websocket: hanging } })
  world.log.fill('42', 2)
  const loop = run(world.client.subscribe('42'))
  await elapseRoughly(8000)
  const [live] = world.open
  expect(live?.transport).toBe('sse')
  live?.fail('cut')
  await elapse(20)
  expect(world.open.map(({ transport }) => transport)).toEqual(['sse'])
  expect(loop.state).toBe('running')
})
