import { describe, expect, onTestFinished, test } from 'vitest'
import { isCursor } from '../protocol/rules.ts'
import type { EventLog } from '../server/log/types.ts'

export interface LogUnderTest {
  /** A log of its own, closed by the suite. `maxEvents` per job are retained: at least those, and no more than ten times as many. */
  create(options: { maxEvents: number }): EventLog | Promise<EventLog>
  /** Job ids get this in front, for logs that share a store. */
  prefix?: string
}

/** What every `EventLog` promises. */
export function describeEventLog(name: string, { create, prefix = '' }: LogUnderTest): void {
  async function open(maxEvents = 100): Promise<EventLog> {
    const log = await create({ maxEvents })
    onTestFinished(() => log.close())
    return log
  }
  let count = 0
  const newId = () => `${prefix}job ${process.pid}/${Date.now()}/${++count}`

  /** Everything after a cursor, page by page. */
  async function readAll(log: EventLog, id: string, after?: string, limit = 7) {
    const events = []
    for (let cursor = after; ; ) {
      const page = await log.read(id, cursor, limit)
      if (!page) return undefined
      expect(page.events.length).toBeLessThanOrEqual(limit)
      events.push(...page.events)
      cursor = page.events.at(-1)?.id ?? page.cursor
      if (!page.more) return { events, done: page.done, cursor, epoch: page.epoch }
    }
  }

  describe(`event log: ${name}`, () => {
    test('an unknown job has neither page nor snapshot', async () => {
      const log = await open()
      expect(await log.read(newId(), undefined, 10)).toBeUndefined()
      expect(await log.read(newId(), 'some-cursor', 10)).toBeUndefined()
      expect(await log.snapshot(newId())).toBeUndefined()
    })

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

    test('a page tells the position that it follows, also at 0 and at the end', async () => {
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

    test('undefined data is null; what JSON can not carry is refused and leaves nothing behind', async () => {
      const log = await open()
      const id = newId()
      const circular: { self?: unknown } = {}
      circular.self = circular
      for (const data of [10n, circular, () => {}, Symbol('s')]) await expect(log.append(id, 'output', data)).rejects.toThrow(/data of "output" for job .*JSON/)
      expect(await log.snapshot(id)).toBeUndefined()
      expect(await log.append(id, 'output', undefined)).toMatchObject({ seq: 1, data: null })
    })

    test('an event is what its data was at the append', async () => {
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

    test.each(['__proto__', 'constructor', 'ü'.repeat(128), 'a/b?c#d %'])('the job id %j is one like others', async (good) => {
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

    test('of two ends appended at once, one is refused', async () => {
      const log = await open()
      const id = newId()
      await log.append(id, 'started', {})
      const ends = await Promise.allSettled([log.append(id, 'succeeded', 1), log.append(id, 'failed', { code: 'x', message: '' })])
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect((await readAll(log, id))?.events).toHaveLength(2)
    })

    test('expectSeq appends only there; 0 creates, once', async () => {
      const log = await open()
      const id = newId()
      await expect(log.append(id, 'started', {}, { expectSeq: 1 })).rejects.toMatchObject({ code: 'conflict' })
      expect(await log.snapshot(id)).toBeUndefined()
      const created = await Promise.allSettled(Array.from({ length: 10 }, () => log.append(id, 'queued', {}, { expectSeq: 0 })))
      expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const each of created) if (each.status === 'rejected') expect(each.reason).toMatchObject({ name: 'LogError', code: 'conflict' })
      expect(await log.append(id, 'started', {}, { expectSeq: 1 })).toMatchObject({ seq: 2 })
    })

    test('concurrent appends keep seq without holes', async () => {
      const log = await open()
      const id = newId()
      await Promise.all(Array.from({ length: 50 }, (_, n) => log.append(id, 'progress', { n })))
      const read = await readAll(log, id)
      expect(read?.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
    })

    test('retention drops the oldest; an old cursor reads from the oldest retained, and is told so', async () => {
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

    test('a foreign cursor, or one beyond the end, reads from the oldest', async () => {
      const log = await open()
      const id = newId()
      const { id: cursor } = await log.append(id, 'queued', {})
      const other = newId()
      const { id: foreign } = await log.append(other, 'queued', {})
      for (const after of [foreign, 'nonsense', `${cursor}0`, cursor.replace(/\d+$/, '99'), '~'.repeat(128)])
        expect(await log.read(id, after, 10), after).toMatchObject({ seq: 0, events: [{ id: cursor }] })
    })

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

    test('a watcher hears of every append after it listens, of its job only, until it stops', async () => {
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
      const stopAgain = await log.watch(id, again.resolve)
      await log.append(id, 'progress', {})
      await again.promise
      expect(heard).toEqual({ here: stopped, there: 0 })
      stopAgain()
      stopThere()
    })

    test('listening, then reading, misses nothing that is appended meanwhile', async () => {
      const log = await open(1000)
      for (let round = 0; round < 50; round += 1) {
        const id = newId()
        await log.append(id, 'queued', {})
        const woken = Promise.withResolvers<void>()
        const appended = Promise.resolve().then(() => log.append(id, 'succeeded', round))
        const stop = await log.watch(id, woken.resolve)
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
  })
}
