import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { memoryLog } from '../../src/server/log/memory.ts'
import { describeEventLog } from '../../src/testing/event-log.ts'

describeEventLog('memory', { create: ({ maxEvents }) => memoryLog({ maxEvents }) })

describe('memory log', () => {
  test('keeps exactly maxEvents', async () => {
    const log = memoryLog({ maxEvents: 3 })
    for (let n = 1; n <= 10; n += 1) await log.append('a', 'progress', { n })
    expect(await log.read('a', undefined, 100)).toMatchObject({ seq: 7, events: [{ seq: 8 }, { seq: 9 }, { seq: 10 }] })
  })

  test('keeps the latest events within maxBytes of data, and the last one in any case', async () => {
    const log = memoryLog({ maxBytes: 1000 })
    for (let n = 1; n <= 100; n += 1) await log.append('a', 'output', 'x'.repeat(98))
    expect((await log.read('a', undefined, 1000))?.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, n) => n + 91))
    await log.append('a', 'output', 'x'.repeat(2000))
    expect(await log.read('a', undefined, 1000)).toMatchObject({ seq: 100, events: [{ seq: 101 }] })
  })

  test('drops a job that has not ended idleTtlMs after its last event', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const log = memoryLog({ idleTtlMs: 1000 })
    await log.append('a', 'queued', {})
    vi.advanceTimersByTime(800)
    await log.append('a', 'started', {})
    vi.advanceTimersByTime(800)
    expect(await log.snapshot('a')).toMatchObject({ seq: 2 })
    vi.advanceTimersByTime(300)
    await expect(log.snapshot('a')).rejects.toMatchObject({ code: 'history-gone' })
  })

  test('drops the job that ended first where ended jobs take more than maxEndedBytes; never the last one, nor one that has not ended', async () => {
    const log = memoryLog({ maxEndedBytes: 20_000 })
    for (let n = 0; n < 100; n += 1) {
      await log.append(`running ${n}`, 'output', 'x'.repeat(1000))
      await log.append(`${n}`, 'succeeded', n)
    }
    const isKept = async (id: string) => (await log.snapshot(id).catch(({ code }) => code)) !== 'history-gone'
    const kept: string[] = []
    for (let n = 0; n < 100; n += 1) {
      expect(await isKept(`running ${n}`)).toBe(true)
      if (await isKept(`${n}`)) kept.push(`${n}`)
    }
    expect(kept).toEqual(['95', '96', '97', '98', '99'])
    await log.append('huge', 'succeeded', 'x'.repeat(100_000))
    expect(await log.snapshot('huge')).toMatchObject({ status: 'succeeded' })
    await expect(log.read('99', undefined, 1)).rejects.toMatchObject({ code: 'history-gone' })
    await log.reset('huge') // gives its room back
    for (const id of ['a', 'b']) await log.append(id, 'failed', {})
    expect([await isKept('a'), await isKept('b')]).toEqual([true, true])
  })

  test('of ten thousand dropped jobs it says that they are gone; those dropped before are unknown', async () => {
    const log = memoryLog({ maxEndedBytes: 1 })
    for (let n = 0; n <= 10_001; n += 1) await log.append(`${n}`, 'succeeded', n)
    expect(await log.snapshot('0')).toBeUndefined()
    await expect(log.snapshot('1')).rejects.toMatchObject({ code: 'history-gone' })
    await log.close()
  })

  test.each([0, -1, Number.NaN])('refuses maxEndedBytes %d', (maxEndedBytes) => {
    expect(() => memoryLog({ maxEndedBytes })).toThrow(/maxEndedBytes: expected a number from 1/)
  })

  test.each([0, -1, 1.5, Number.NaN])('refuses maxEvents %d', (maxEvents) => {
    expect(() => memoryLog({ maxEvents })).toThrow(/maxEvents: expected an integer from 1/)
  })

  test('refuses everything after close', async () => {
    const log = memoryLog()
    await log.append('a', 'queued', {})
    await log.close()
    for (const use of [log.append('a', 'started', {}), log.read('a', undefined, 1), log.snapshot('a'), log.watch('a', () => {})])
      await expect(use).rejects.toMatchObject({ code: 'closed' })
  })

  describe('expiry', () => {
    beforeEach(() => void vi.useFakeTimers())
    afterEach(() => void vi.useRealTimers())

    test('keeps a job for ttlMs after its end, then says that it is gone for as long, then forgets it', async () => {
      const log = memoryLog({ ttlMs: 1000 })
      await log.append('a', 'queued', {})
      vi.advanceTimersByTime(10_000)
      expect(await log.snapshot('a')).toMatchObject({ status: 'queued' })
      await log.append('a', 'succeeded', 1)
      vi.advanceTimersByTime(999)
      expect(await log.snapshot('a')).toMatchObject({ status: 'succeeded' })
      vi.advanceTimersByTime(1)
      await expect(log.snapshot('a')).rejects.toMatchObject({ code: 'history-gone' })
      await expect(log.read('a', undefined, 1)).rejects.toMatchObject({ code: 'history-gone' })
      vi.advanceTimersByTime(1000)
      expect(await log.snapshot('a')).toBeUndefined()
      expect(vi.getTimerCount()).toBe(0)
    })

    test('works with a ttlMs longer than any timer', async () => {
      const ttlMs = 2 ** 31 + 1000
      const log = memoryLog({ ttlMs })
      await log.append('a', 'succeeded', 1)
      vi.advanceTimersByTime(ttlMs - 1)
      expect(await log.snapshot('a')).toMatchObject({ status: 'succeeded' })
      vi.advanceTimersByTime(1)
      await expect(log.snapshot('a')).rejects.toMatchObject({ code: 'history-gone' })
      await log.close()
      expect(vi.getTimerCount()).toBe(0)
    })

    test('begins another epoch for a new job with an old name', async () => {
      const log = memoryLog({ ttlMs: 1000 })
      const old = await log.append('a', 'succeeded', 1)
      vi.advanceTimersByTime(1000)
      const fresh = await log.append('a', 'queued', {}, { expectSeq: 0 })
      expect(fresh.id).not.toBe(old.id)
      expect(await log.read('a', old.id, 10)).toMatchObject({ seq: 0, events: [fresh] })
      vi.advanceTimersByTime(1000)
      expect(await log.snapshot('a')).toMatchObject({ status: 'queued' })
    })

    test('leaves no timer after close', async () => {
      const log = memoryLog()
      await log.append('a', 'succeeded', 1)
      expect(vi.getTimerCount()).toBe(1)
      await log.close()
      expect(vi.getTimerCount()).toBe(0)
    })
  })
})
