/** Shared jobs and the garbage collector: a client keeps those that have listeners, and no others. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { Job } from '../../src/types.ts'
import { elapse, settle } from './virtual-time.ts'
import { createWorld, expectNothingLeft, useVirtualTime } from './world.ts'

useVirtualTime()
setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Collects what nobody has. What a `WeakRef` was asked for stays until the end of its task. */
async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await settle()
    collect()
  }
}

test('a job with a listener is the same for everybody, even if nobody else has it; without one it is let go', async () => {
  const world = createWorld()
  for (const id of ['1', '2', '3']) world.log.fill(id, 3)
  let ref: WeakRef<Job> | undefined
  const follow = (): (() => void) => {
    const job = world.client.job('1')
    ref = new WeakRef(job)
    return job.subscribe(() => {})
  }
  let leave: (() => void) | undefined = follow()
  const unused = new WeakRef(world.client.job('2'))
  world.client.job('3').subscribe(() => {}) // nobody has what ends it
  await elapse(100)
  await collectGarbage()
  expect(world.client.job('3').state).toMatchObject({ status: 'running', progress: { current: 3 } })
  expect(unused.deref()).toBeUndefined()
  expect(world.client.job('1') === ref?.deref()).toBe(true)
  expect(world.client.job('1').state).toMatchObject({ status: 'running', progress: { current: 3 } })
  leave()
  leave = undefined // it has the job
  world.log.append('3', 'succeeded')
  await elapse(50)
  await expectNothingLeft(world)
  await collectGarbage()
  expect(ref?.deref()).toBeUndefined()
})
