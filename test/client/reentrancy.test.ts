/** Every callback may close, abort or subscribe at once. */

import { describe, expect, test } from 'vitest'
import type { Client, Diagnostic, Subscription } from '../../src/types.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { dying, failing, hanging, mute, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, run, upTo, useVirtualTime, type World, type WorldOptions } from './world.ts'

useVirtualTime()

/** A scenario in which every type of diagnostic is reported. */
function eventful(options: WorldOptions): World {
  const entries = new Map<string, unknown>([
    ['https://example.test/jobs', { transport: 'sse', latencyMs: 5, at: performance.timeOrigin + performance.now() - 1000, records: {} }]
  ])
  const memory = {
    read: async (key: string) => entries.get(key),
    write: async (key: string, value: unknown) => void entries.set(key, value)
  }
  const world = createWorld({ memory, bufferSize: 5, probeTimeoutMs: 1000, ...options })
  world.transports.websocket.script = (link) => {
    const before = world.links.filter(({ transport }) => transport === 'websocket').length
    if (before === 1) return mute(link)
    if (before === 2) return failing('refused')(link)
    serving(world.log, { delayMs: 400 })(link)
  }
  world.transports.sse.script = (link) => {
    const before = world.links.filter(({ transport }) => transport === 'sse').length
    if (before <= 3) return dying(serving(world.log), 300)(link)
    serving(world.log)(link)
  }
  world.transports['short-poll'].script = hanging
  return world
}

async function live(world: World, job: Subscription): Promise<void> {
  world.log.fill('42', 2)
  const slow = Promise.withResolvers<void>()
  let isOver = false
  const reading = (async () => {
    for await (const { seq } of job) if (seq === 50) await slow.promise
  })()
  reading
    .catch(() => {})
    .then(() => {
      isOver = true
    })
  for (let seq = 3; seq <= 40; seq += 1) {
    world.log.fill('42', seq)
    if (seq === 20) {
      for (const link of world.open) link.fail('cut')
      world.log.fill('42', 30)
      world.log.trim('42', 25)
    }
    await elapse(200)
  }
  world.log.fill('42', 100)
  await elapse(100)
  slow.resolve()
  await elapse(100)
  world.log.append('42', 'succeeded')
  await elapseRoughly(3000)
  expect(isOver).toBe(true)
}

const TYPES: Diagnostic['type'][] = [
  'probe-started',
  'probe-proved',
  'probe-failed',
  'probe-abandoned',
  'live',
  'switched',
  'lost',
  'waiting',
  'remembered',
  'recalled',
  'demoted',
  'paused',
  'resumed',
  'gap',
  'ended'
]

describe.each(TYPES)('in a listener of the diagnostic %s', (type) => {
  test.each(['close() of the subscription', 'close() of the client', 'an abort', 'another subscription'])('%s', async (what) => {
    const controller = new AbortController()
    let told = 0
    const act = (client: Client, job: Subscription): void => {
      if (what === 'close() of the subscription') job.close()
      else if (what === 'close() of the client') client.close()
      else if (what === 'an abort') controller.abort(new Error('enough'))
      else run(client.subscribe('42'))
    }
    const world: World = eventful({
      onDiagnostic(diagnostic) {
        if (diagnostic.type !== type) return
        told += 1
        if (told === 1) act(world.client, job)
      }
    })
    const job: Subscription = world.client.subscribe('42', { signal: controller.signal })
    await live(world, job)
    expect(told).toBeGreaterThan(0)
    await expectNothingLeft(world)
  })
})

test('a state listener may close', async () => {
  const world = createWorld()
  world.log.fill('42', 3)
  const job = world.client.subscribe('42')
  job.onChange(() => job.close())
  const loop = run(job)
  await elapse(100)
  expect(loop.state).toBe('ended')
  await expectNothingLeft(world)
})

test('a token source may close', async () => {
  const world = createWorld()
  const client = world.another({
    token() {
      client.close()
      return 'token'
    }
  })
  const loop = run(client.subscribe('42'))
  await elapse(100)
  expect(loop.state).toBe('ended')
  expect(world.links.every(({ isOpen }) => !isOpen)).toBe(true)
  expect(world.http.open).toBe(0)
})

test('a loop may subscribe to the job that it reads', async () => {
  const world = createWorld()
  world.log.fill('42', 3)
  world.log.append('42', 'succeeded')
  const inner: number[] = []
  const reading = (async () => {
    for await (const { seq } of world.client.subscribe('42')) {
      if (seq === 2) for await (const event of world.client.subscribe('42')) inner.push(event.seq)
    }
  })()
  await elapse(200)
  await reading
  expect(inner).toEqual(upTo(4))
  await expectNothingLeft(world)
})
