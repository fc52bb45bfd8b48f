/** Snapshots. */

import { expect, test } from 'vitest'
import type { Workbench } from './workbench.ts'

export function describeSnapshots({ open, newId }: Workbench): void {
  test('the snapshot follows status, progress and result, and outlives retention', async () => {
    const log = await open(5)
    const id = newId()
    const queued = await log.append(id, 'queued', { position: 3 })
    expect(await log.snapshot(id)).toEqual({ id, status: 'queued', epoch: expect.any(String), seq: 1, cursor: queued.id })
    await log.append(id, 'started', {})
    await log.append(id, 'progress', { ratio: 0.25 })
    for (let n = 0; n < 200; n += 1) await log.append(id, 'log', { level: 'info', message: String(n) })
    expect(await log.snapshot(id)).toMatchObject({ status: 'running', progress: { ratio: 0.25 }, seq: 203 })
    const end = await log.append(id, 'succeeded', { url: '/x' })
    const snapshot = await log.snapshot(id)
    expect(snapshot).toMatchObject({ status: 'succeeded', progress: { ratio: 0.25 }, result: { url: '/x' }, seq: 204, cursor: end.id })
    expect(snapshot?.epoch).toBe((await log.read(id, undefined, 1))?.epoch)
  })

  test.each(['failed', 'cancelled'])('the snapshot of a %s job has its data as the error', async (type) => {
    const log = await open()
    const id = newId()
    await log.append(id, type, { code: 'x', message: 'why' })
    expect(await log.snapshot(id)).toMatchObject({ status: type, error: { code: 'x', message: 'why' } })
  })

  test.each([
    [50, { ratio: 0.5 }],
    [0.25, { ratio: 0.25 }],
    [200, { ratio: 1 }],
    [-1, { ratio: 0 }],
    ['half', undefined],
    [[1, 2], undefined],
    [null, undefined]
  ])('progress %j is %j in the snapshot', async (data, progress) => {
    const log = await open()
    const id = newId()
    await log.append(id, 'progress', data)
    expect((await log.snapshot(id))?.progress).toEqual(progress)
    expect((await log.read(id, undefined, 1))?.events[0]?.data).toEqual(data)
  })

  test('the snapshot has the data of cancelling', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {})
    await log.append(id, 'cancelling', { reason: 'too slow' })
    expect(await log.snapshot(id)).toMatchObject({ status: 'running', cancelling: { reason: 'too slow' } })
  })
}
