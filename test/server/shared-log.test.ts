import { describe, expect, test, vi } from 'vitest'
import { memoryLog } from '../../src/server/log/memory.ts'
import { sharedLog, type Wake } from '../../src/server/log/shared.ts'
import type { LogPage } from '../../src/server/log/types.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const seqsOf = (pages: (LogPage | undefined)[]) => pages.map((page) => page?.events.map(({ seq }) => seq))

describe('a log that readers share', () => {
  test('is listened to once for all, until the last has left', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log)
    const stops = await Promise.all(Array.from({ length: 3 }, () => log.watch('42', () => {})))
    expect(gate.watching()).toBe(1)
    for (const stop of stops.slice(1)) stop()
    expect(gate.watching()).toBe(1)
    stops[0]?.()
    expect(gate.watching()).toBe(0)
    await log.watch('42', () => {})
    expect(gate.watching()).toBe(1)
  })

  test('hands the same page to all; first it has to find its place', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log)
    const told = Array.from({ length: 3 }, () => [] as (LogPage | undefined)[])
    for (const pages of told) await log.watch('42', (page) => pages.push(page))
    const count = (expected: number) => vi.waitFor(() => expect(told.map(({ length }) => length)).toEqual([expected, expected, expected]))
    await log.append('42', 'queued', null)
    await count(1)
    await log.append('42', 'started', null)
    await count(2)
    for (const pages of told) expect(seqsOf(pages)).toEqual([undefined, [2]])
    expect(told[0]?.[1]).toBe(told[2]?.[1])
    expect(gate.eventsRead()).toBe(1)
  })

  test('who is alone is told to read for itself', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log)
    const pages: (LogPage | undefined)[] = []
    await log.watch('42', (page) => pages.push(page))
    for (let n = 1; n <= 3; n += 1) {
      await log.append('42', 'progress', null)
      await vi.waitFor(() => expect(pages).toHaveLength(n))
    }
    expect(seqsOf(pages)).toEqual([undefined, undefined, undefined])
    expect(gate.eventsRead()).toBe(0)
  })

  test('that cannot be listened to says so to each, and is asked again', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log)
    const back = gate.outage()
    const refused = await Promise.allSettled([log.watch('42', () => {}), log.watch('42', () => {})])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    back()
    await log.watch('42', () => {})
    expect(gate.watching()).toBe(1)
  })

  test('whatever is appended while its place is looked up is told of afterwards', async () => {
    const inner = memoryLog()
    let looked = 0
    const log = sharedLog({
      ...inner,
      async snapshot(job) {
        looked += 1
        if (looked === 1) await inner.append(job, 'progress', null)
        return inner.snapshot(job)
      }
    })
    const seen: number[] = []
    const readAll: Wake = async () => {
      seen.push((await inner.snapshot('42'))?.seq ?? 0)
    }
    await log.watch('42', readAll)
    await log.watch('42', () => {})
    await log.append('42', 'queued', null)
    await vi.waitFor(() => expect(seen.at(-1)).toBe(2))
  })
})

test('many followers get every event once, in order, in bursts of any size and through outages', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log, heartbeatMs: 50 })
  await jobs.publish('42', 'queued')
  const followers = [
    ...(await Promise.all(Array.from({ length: 5 }, () => openStream(`${base}/42/events`)))),
    ...Array.from({ length: 5 }, () => openSocket(`${base}/42/events`))
  ]
  let seq = 1
  for (let burst = 1; burst <= 30; burst += 1) {
    for (let n = 0; n < burst; n += 1) await jobs.publish('42', 'progress', { burst, n })
    seq += burst
    if (burst % 10 === 0) gate.outage()()
    await vi.waitFor(() => expect(followers[burst % 10]?.events().at(-1)?.seq).toBe(seq), { timeout: 20_000 })
  }
  const expected = Array.from({ length: seq }, (_, n) => n + 1)
  for (const follower of followers) await vi.waitFor(() => expect(follower.events().map((event) => event.seq)).toEqual(expected), { timeout: 20_000 })
}, 60_000)
