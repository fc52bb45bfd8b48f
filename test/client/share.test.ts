/** What `share` promises: a client follows through another client, serves others, and connects by itself where there is no leader. It knows nothing of tabs. */

import { expect, test } from 'vitest'
import { createHub } from './share.ts'
import { elapse } from './virtual-time.ts'
import { createWorld, expectNothingLeft, run, upTo, useVirtualTime } from './world.ts'

useVirtualTime()

test('three clients, one connection: each client gets each event once, whoever leads', async () => {
  const hub = createHub()
  const world = createWorld({ share: hub.share, firstLook: false })
  const clients = [world.client, world.another(), world.another()]
  world.log.fill('42', 5)
  world.log.fill('43', 5)
  const jobs = ['42', '42', '43']
  const loops = clients.map((client, index) => run(client.subscribe(jobs[index] ?? '')))
  await elapse(100)
  expect(world.open).toHaveLength(3)

  hub.lead(0)
  await elapse(500)
  expect(hub.carried).toBe(2)
  expect(world.open).toHaveLength(1)
  expect(world.open[0]?.jobs.map(({ job }) => job).sort()).toEqual(['42', '43'])
  for (const job of jobs) world.log.fill(job, 20)
  await elapse(100)

  // The leader is closed. The others connect by themselves, then follow another leader.
  clients[0]?.close()
  hub.lead(undefined)
  await elapse(2000)
  expect(hub.carried).toBe(0)
  for (const job of jobs) world.log.fill(job, 30)
  await elapse(100)
  hub.lead(2)
  await elapse(500)
  expect(hub.carried).toBe(1)
  for (const job of jobs) {
    world.log.fill(job, 40)
    if (job !== '43') continue
    world.log.append('42', 'succeeded')
    world.log.append('43', 'succeeded')
  }
  await elapse(100)
  expect(loops.slice(1).map(({ seqs }) => seqs)).toEqual([upTo(41), upTo(41)])
  expect(loops.map(({ state }) => state)).toEqual(['ended', 'ended', 'ended'])
  expect(loops[0]?.seqs).toEqual(upTo(20))
  for (const client of clients) client.close()
  await expectNothingLeft(world)
})

test('a leader dies without a word: the unusual silence is noticed, and nothing is lost', async () => {
  const hub = createHub()
  const world = createWorld({ share: hub.share })
  const [leader, other] = [world.client, world.another()]
  world.log.fill('42', 5)
  const loops = [run(leader.subscribe('42')), run(other.subscribe('42'))]
  await elapse(50)
  hub.lead(0)
  for (let seq = 6; seq <= 50; seq += 1) {
    world.log.fill('42', seq)
    await elapse(50)
  }
  expect(hub.carried).toBe(1)
  // The leader is frozen: it neither reports nor delivers anything any more.
  for (const link of world.open) link.push = () => {}
  for (let seq = 51; seq <= 100; seq += 1) {
    world.log.fill('42', seq)
    await elapse(100)
  }
  await elapse(3000)
  expect(loops[1]?.seqs).toEqual(upTo(100))
  for (const client of [leader, other]) client.close()
  await expectNothingLeft(world)
})
