/** A token is refused after something was read, or beside something that is read. */

import { expect, test } from 'vitest'
import { requestCount } from './page-phases.ts'
import { problem } from './virtual-fetch.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { failing, type Script, serving } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, NAMES, run, upTo, useVirtualTime } from './world.ts'

useVirtualTime()

test('a token source whose token is refused after every reading is not called in a loop', async () => {
  let tokens = 0
  const world = createWorld({ firstLook: false, token: () => `token-${++tokens}` })
  world.log.fill('42', 3)
  // A cache may answer like this: the old events first, then the refusal.
  const refusing: Script = (link) =>
    link.after(10, () => {
      link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 }, world.log.subscribed('42', 0), ...world.log.framesAfter('42', 0).frames)
      link.after(10, () => link.push({ control: 'error', status: 401, code: 'unauthorized', message: 'revoked' }))
    })
  for (const name of NAMES) world.transports[name].script = refusing
  const loop = run(world.client.subscribe('42'))
  await elapseRoughly(60_000)
  expect(tokens).toBeGreaterThan(2)
  expect(tokens).toBeLessThan(100) // in a loop it would be 3,000; by chance it is 20 to 50
  expect(loop.seqs).toEqual(upTo(3))
})

test.each([true, false])('single requests of a slow reader are refused once, then a link reads the rest (beside another job: %s)', async (isBeside) => {
  let token = 'old'
  const world = createWorld({ bufferSize: 20, firstLook: false, token: () => token })
  world.http.pageSize = 10
  world.log.fill('42', 30)
  world.log.fill('43', 3)
  if (isBeside) run(world.client.subscribe('43'))
  const iterator = world.client.subscribe('42')[Symbol.asyncIterator]()
  const seqs: number[] = []
  const take = async (count: number): Promise<void> => {
    for (let taken = 0; taken < count; taken += 1) {
      const next = iterator.next()
      await elapse(20)
      seqs.push((await next).value?.seq)
    }
  }
  await take(1)
  await elapse(100)
  expect(world.diagnosticsOf('paused')).toHaveLength(1)
  world.log.fill('42', 60)
  token = 'new'
  world.http.faults.events = problem(401, 'unauthorized')
  const before = requestCount(world)
  await take(25)
  await elapse(1000)
  expect(requestCount(world) - before).toBeLessThan(20)
  world.http.faults = {}
  await take(34)
  expect(seqs).toEqual(upTo(60))
  await iterator.return?.()
  if (!isBeside) await expectNothingLeft(world)
})

test('two refusals of one token count once, also if the second comes while the token source is called', async () => {
  let tokens = 0
  const token = async (): Promise<string> => {
    tokens += 1
    if (tokens > 1) await new Promise((resolve) => setTimeout(resolve, 100))
    return `token-${tokens}`
  }
  const world = createWorld({ bufferSize: 20, firstLook: false, token, httpDelayMs: 30 })
  world.log.fill('42', 30)
  const fast = run(world.client.subscribe('42'))
  const slow = world.client.subscribe('42')[Symbol.asyncIterator]()
  const first = slow.next()
  await elapse(100)
  await first
  world.http.faults.events = problem(401, 'unauthorized')
  for (let taken = 0; taken < 25; taken += 1) await slow.next()
  await elapse(10)
  expect(world.http.open).toBe(1)
  world.open[0]?.push({ control: 'error', status: 401, code: 'unauthorized', message: 'expired' })
  await elapse(50)
  expect(world.http.open).toBe(0)
  world.http.faults = {}
  await elapse(200)
  world.log.fill('42', 40)
  await elapse(100)
  expect(fast).toMatchObject({ state: 'running', seqs: upTo(40) })
  expect(tokens).toBe(2)
  await slow.return?.()
})

test("a gateway's 401 leaves the token source its second chance after the server's own", async () => {
  let token = 'old'
  const world = createWorld({ firstLook: false, token: () => token })
  world.log.fill('42', 3)
  const loop = run(world.client.subscribe('42'))
  await elapse(100)
  for (const name of NAMES) world.transports[name].script = failing('status', 401)
  world.open[0]?.fail('cut')
  await elapseRoughly(20_000)
  world.log.fill('42', 5)
  // The gateway has let its user in again, and the token has just been replaced.
  const serve = serving(world.log)
  for (const name of NAMES)
    world.transports[name].script = (link) => {
      if (link.request.token === 'new') serve(link)
      else link.after(10, () => link.push({ control: 'error', status: 401, code: 'unauthorized', message: 'expired' }))
      token = 'new'
    }
  await elapseRoughly(40_000)
  expect(loop).toMatchObject({ state: 'running', seqs: upTo(5) })
})
