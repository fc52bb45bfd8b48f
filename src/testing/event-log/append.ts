/** Appends: what is stored, and what is refused. */

import { expect, test } from 'vitest'
import { isCursor } from '../../protocol/rules.ts'
import type { Workbench } from './workbench.ts'

export function describeAppends({ prefix, open, newId, readAll }: Workbench): void {
  test('events have seq from 1 without holes, unique ids, a time, and what was appended', async () => {
    const log = await open()
    const id = newId()
    const appended = []
    for (let n = 1; n <= 20; n += 1) appended.push(await log.append(id, 'progress', { current: n, text: 'ü\n"\u2028' }))
    const read = await readAll(log, id)
    expect(read?.events).toEqual(appended)
    expect(appended.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
    expect(new Set(appended.map((event) => event.id)).size).toBe(20)
    for (const event of appended) {
      expect(event).toMatchObject({ job: id, type: 'progress' })
      expect(isCursor(event.id)).toBe(true)
      expect(new Date(event.time).toISOString()).toBe(event.time)
    }
    expect(read).toMatchObject({ done: false, cursor: appended[19]?.id })
  })

  test('undefined data is stored as null; data that JSON cannot carry is refused, and creates no job', async () => {
    const log = await open()
    const id = newId()
    const circular: { self?: unknown } = {}
    circular.self = circular
    for (const data of [10n, circular, () => {}, Symbol('s')]) await expect(log.append(id, 'output', data)).rejects.toThrow(/data of "output" for job .*JSON/)
    expect(await log.snapshot(id)).toBeUndefined()
    expect(await log.append(id, 'output', undefined)).toMatchObject({ seq: 1, data: null })
  })

  test('changing data after the append does not change the event', async () => {
    const log = await open()
    const id = newId()
    const data = { list: [1] }
    await log.append(id, 'output', data)
    data.list.push(2)
    expect((await log.read(id, undefined, 1))?.events[0]?.data).toEqual({ list: [1] })
  })

  test('keys such as __proto__ are data', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'output', JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'))
    const [event] = (await log.read(id, undefined, 1))?.events ?? []
    expect(JSON.stringify(event?.data)).toBe('{"__proto__":{"polluted":true},"constructor":1}')
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test.each(['', '.', '..', 'events', 'x'.repeat(257), 'ü'.repeat(129), '\ud800'])('the job id %j is refused', async (bad) => {
    const log = await open()
    await expect(log.append(bad, 'queued', {})).rejects.toThrow(/job id: expected 1 to 256/)
  })

  test.each(['__proto__', 'constructor', 'ü'.repeat(128), 'a/b?c#d %'])('the job id %j is accepted', async (good) => {
    const log = await open()
    const id = prefix === '' ? good : `${prefix}${good}`.slice(0, 128)
    expect(await log.snapshot(id)).toBeUndefined()
    await log.append(id, 'queued', {})
    expect(await log.snapshot(id)).toMatchObject({ id, status: 'queued', seq: 1 })
  })

  test.each(['', 'a b', 'gap', 'x'.repeat(65), 'ü'])('the event type %j is refused', async (bad) => {
    const log = await open()
    await expect(log.append(newId(), bad, {})).rejects.toThrow(/event type: expected 1 to 64/)
  })

  test.each(['succeeded', 'failed', 'cancelled'])('"%s" is the last event', async (type) => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {})
    const last = await log.append(id, type, { n: 1 })
    await expect(log.append(id, 'progress', {})).rejects.toMatchObject({ name: 'LogError', code: 'ended', message: expect.stringContaining(type) })
    await expect(log.append(id, 'succeeded', {})).rejects.toMatchObject({ code: 'ended' })
    expect(await readAll(log, id)).toMatchObject({ done: true, cursor: last.id })
    expect((await log.read(id, undefined, 1))?.done).toBe(false)
    expect(await log.read(id, last.id, 1)).toMatchObject({ events: [], done: true, more: false })
  })

  test('of two terminal events appended at once, one is refused', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {})
    const ends = await Promise.allSettled([log.append(id, 'succeeded', 1), log.append(id, 'failed', { code: 'x', message: '' })])
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await readAll(log, id))?.events).toHaveLength(2)
  })

  test('expectSeq appends only after that seq; with 0, one of several appends creates the job', async () => {
    const log = await open()
    const id = newId()
    await expect(log.append(id, 'started', {}, { expectSeq: 1 })).rejects.toMatchObject({ code: 'conflict' })
    expect(await log.snapshot(id)).toBeUndefined()
    const created = await Promise.allSettled(Array.from({ length: 10 }, () => log.append(id, 'queued', {}, { expectSeq: 0 })))
    expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const each of created) if (each.status === 'rejected') expect(each.reason).toMatchObject({ name: 'LogError', code: 'conflict' })
    expect(await log.append(id, 'started', {}, { expectSeq: 1 })).toMatchObject({ seq: 2 })
  })

  test('concurrent appends leave no holes in seq', async () => {
    const log = await open()
    const id = newId()
    await Promise.all(Array.from({ length: 50 }, (_, n) => log.append(id, 'progress', { n })))
    const read = await readAll(log, id)
    expect(read?.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
  })
}
