/** Wake-ups. */

import { expect, test } from 'vitest'
import type { Workbench } from './workbench.ts'

export function describeWatches({ open, newId }: Workbench): void {
  test('a watcher is woken by every append to its job, and to no other, until it stops', async () => {
    const log = await open()
    const id = newId()
    const heard = { here: 0, there: 0 }
    const stopHere = await log.watch(id, () => (heard.here += 1))
    const stopThere = await log.watch(newId(), () => (heard.there += 1))
    await log.append(id, 'queued', {})
    await expect.poll(() => heard.here).toBeGreaterThan(0)
    const before = heard.here
    await log.append(id, 'started', {})
    await expect.poll(() => heard.here).toBeGreaterThan(before)
    stopHere()
    stopHere()
    const stopped = heard.here
    const again = Promise.withResolvers<void>()
    const stopAgain = await log.watch(id, () => again.resolve())
    await log.append(id, 'progress', {})
    await again.promise
    expect(heard).toEqual({ here: stopped, there: 0 })
    stopAgain()
    stopThere()
  })

  test('watching first and reading then misses no event that is appended meanwhile', async () => {
    const log = await open(1000)
    for (let round = 0; round < 50; round += 1) {
      const id = newId()
      await log.append(id, 'queued', {})
      const woken = Promise.withResolvers<void>()
      const appended = Promise.resolve().then(() => log.append(id, 'succeeded', round))
      const stop = await log.watch(id, () => woken.resolve())
      let page = await log.read(id, undefined, 10)
      if (!page?.done) {
        await woken.promise
        page = await log.read(id, undefined, 10)
      }
      expect(page?.done).toBe(true)
      await appended
      stop()
    }
  })
}
