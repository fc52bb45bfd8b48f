/** Reads: pages, cursors, retention. */

import { expect, test } from 'vitest'
import { isCursor } from '../../protocol/rules.ts'
import type { Workbench } from './workbench.ts'

export function describePages({ open, newId }: Workbench): void {
  test('an unknown job has neither a page nor a snapshot', async () => {
    const log = await open()
    expect(await log.read(newId(), undefined, 10)).toBeUndefined()
    expect(await log.read(newId(), 'some-cursor', 10)).toBeUndefined()
    expect(await log.snapshot(newId())).toBeUndefined()
  })

  test('a page has the position that it follows, also at 0 and at the end', async () => {
    const log = await open()
    const id = newId()
    const first = await log.append(id, 'queued', {})
    const second = await log.append(id, 'started', {})
    const start = await log.read(id, undefined, 1)
    expect(start).toMatchObject({ events: [first], seq: 0, more: true, done: false })
    expect(isCursor(start?.cursor)).toBe(true)
    expect(await log.read(id, start?.cursor, 10)).toMatchObject({ events: [first, second], seq: 0 })
    expect(await log.read(id, first.id, 10)).toMatchObject({ events: [second], seq: 1, cursor: first.id, more: false })
    expect(await log.read(id, second.id, 10)).toMatchObject({ events: [], seq: 2, cursor: second.id, more: false, done: false })
  })

  test('retention drops the oldest events; an older cursor reads from the oldest retained event, and the position shows it', async () => {
    const log = await open(10)
    const id = newId()
    const first = await log.append(id, 'progress', { current: 1 })
    for (let n = 2; n <= 200; n += 1) await log.append(id, 'progress', { current: n })
    const page = await log.read(id, first.id, 1000)
    expect(page?.events.length).toBeGreaterThanOrEqual(10)
    expect(page?.events.length).toBeLessThanOrEqual(100)
    expect(page?.seq).toBe((page?.events[0]?.seq ?? 0) - 1)
    expect(page?.seq).toBeGreaterThan(1)
    expect(page?.cursor).not.toBe(first.id)
    expect(page?.events.at(-1)?.seq).toBe(200)
    expect(await log.read(id, page?.cursor, 1000)).toEqual(page)
    expect(await log.read(id, undefined, 1000)).toEqual(page)
  })

  test('a foreign cursor, or one beyond the end, reads from the oldest event', async () => {
    const log = await open()
    const id = newId()
    const { id: cursor } = await log.append(id, 'queued', {})
    const other = newId()
    const { id: foreign } = await log.append(other, 'queued', {})
    for (const after of [foreign, 'nonsense', `${cursor}0`, cursor.replace(/\d+$/, '99'), '~'.repeat(128)])
      expect(await log.read(id, after, 10), after).toMatchObject({ seq: 0, events: [{ id: cursor }] })
  })
}
