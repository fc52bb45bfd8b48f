/** Idempotent appends, several events at once, and ids that are used again after `reset`. */

import { expect, test } from 'vitest'
import type { Entry } from '../../server/log/types.ts'
import type { Workbench } from './workbench.ts'

export function describeNames({ open, newId, readAll }: Workbench): void {
  test('an append repeated with its appendId is stored once, and resolves with the first event: also after other events, and after the end', async () => {
    const log = await open()
    const id = newId()
    const first = await log.append(id, 'queued', { n: 1 }, { appendId: 'x', expectSeq: 0 })
    expect(await log.append(id, 'queued', { n: 1 }, { appendId: 'x', expectSeq: 0 })).toEqual(first)
    for (let n = 0; n < 50; n += 1) await log.append(id, 'log', { level: 'info', message: `${n}` })
    const lease = { owner: 'a', ms: 60_000 }
    const last = await log.append(id, 'succeeded', 1, { appendId: 'y', firstTry: true, lease })
    expect(await log.append(id, 'succeeded', 1, { appendId: 'y', lease })).toEqual(last)
    expect(await log.append(id, 'queued', { n: 1 }, { appendId: 'x' })).toEqual(first)
    await expect(log.append(id, 'queued', {}, { appendId: 'z' })).rejects.toMatchObject({ code: 'ended' })
    expect((await readAll(log, id))?.events).toHaveLength(52)
  })

  test('an appendId counts for its job; of several appends with one appendId at once, one is stored', async () => {
    const log = await open()
    const [id, other] = [newId(), newId()]
    const events = await Promise.all(Array.from({ length: 10 }, (_, n) => log.append(id, 'output', n, { appendId: 'x' })))
    expect(new Set(events.map((event) => event.id)).size).toBe(1)
    expect(await log.append(other, 'output', 1, { appendId: 'x' })).toMatchObject({ job: other, seq: 1 })
  })

  test.each(['', 'x'.repeat(257)])('the appendId %j is refused', async (appendId) => {
    const log = await open()
    await expect(log.append(newId(), 'queued', {}, { appendId })).rejects.toThrow(/appendId: expected 1 to 256 characters/)
  })

  test('appendMany stores all events in a row, or none, and once for one appendId', async ({ skip }) => {
    const log = await open()
    const appendMany = log.appendMany?.bind(log) ?? skip('the log has no `appendMany`')
    const id = newId()
    const entries: Entry[] = [
      { type: 'started', data: {} },
      { type: 'progress', data: { ratio: 0.5 } },
      { type: 'progress', data: { ratio: 0.75 } },
      { type: 'output', data: ['ü'] }
    ]
    const [events] = await Promise.all([appendMany(id, entries, { appendId: 'x' }), log.append(id, 'log', { level: 'info', message: '' })])
    expect(events.map(({ type, data }) => ({ type, data }))).toEqual(entries)
    expect(events.map(({ seq }) => seq - (events[0]?.seq ?? 0))).toEqual([0, 1, 2, 3])
    expect(await appendMany(id, entries, { appendId: 'x' })).toEqual(events)
    expect(await log.snapshot(id)).toMatchObject({ status: 'running', progress: { ratio: 0.75 }, seq: 5 })
    for (const bad of [
      [entries[0], { type: 'output', data: 1n }],
      [{ type: 'succeeded', data: 1 }, entries[3]]
    ] as Entry[][])
      await expect(appendMany(id, bad)).rejects.toThrow(TypeError)
    await appendMany(id, [
      { type: 'output', data: 1 },
      { type: 'succeeded', data: 2 }
    ])
    expect(await log.snapshot(id)).toMatchObject({ status: 'succeeded', result: 2, seq: 7 })
    await expect(appendMany(id, entries)).rejects.toMatchObject({ code: 'ended' })
    expect((await readAll(log, id))?.events).toHaveLength(7)
  })

  test('after reset a job is unknown, its watchers are woken, and later events are of another epoch', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {}, { lease: { owner: 'a', ms: 60_000 } })
    await log.append(id, 'progress', { ratio: 1 })
    const { id: cursor } = await log.append(id, 'succeeded', 1)
    const before = await log.snapshot(id)
    const woken = Promise.withResolvers<void>()
    await log.watch(id, () => woken.resolve())
    await log.reset(id)
    await woken.promise
    expect(await log.snapshot(id)).toBeUndefined()
    expect(await log.read(id, cursor, 10)).toBeUndefined()
    const again = await log.append(id, 'queued', {}, { expectSeq: 0, lease: { owner: 'b', ms: 60_000 } })
    expect(await log.read(id, cursor, 10)).toMatchObject({ seq: 0, events: [again] })
    const after = await log.snapshot(id)
    expect(after).toEqual({ id, status: 'queued', seq: 1, cursor: again.id, epoch: expect.any(String) })
    expect(after?.epoch).not.toBe(before?.epoch)
    await log.reset(newId())
  })
}
