import { describe, expect, test, vi } from 'vitest'
import { memoryLog } from '../../src/server/log/memory.ts'
import { sharedLog } from '../../src/server/log/shared.ts'
import { LogError, type LogPage } from '../../src/server/log/types.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

/** A watcher that records its wake-ups. */
const recorder = () => {
  const pages: (LogPage | undefined)[] = []
  return { pages, wake: (page?: LogPage) => void pages.push(page) }
}

const MINUTE = 60_000
const seqsOf = (pages: (LogPage | undefined)[]) => pages.map((page) => page?.events.map(({ seq }) => seq))

describe('a log that readers share', () => {
  test('is watched once for all readers, until the last one has left', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log, MINUTE)
    const last = recorder()
    const others = [recorder(), recorder()]
    await Promise.all([last, ...others].map((each) => log.addWatcher('42', each)))
    expect(gate.watching()).toBe(1)
    for (const each of others) log.removeWatcher('42', each)
    log.removeWatcher('42', recorder()) // a watcher that was never added
    expect(await log.snapshot('42')).toBe(undefined) // lets the event loop turn
    expect(gate.watching()).toBe(1)
    log.removeWatcher('42', last)
    await vi.waitFor(() => expect(gate.watching()).toBe(0))
    await log.addWatcher('42', last)
    expect(gate.watching()).toBe(1)
  })

  test('is not watched for a reader that leaves while it is being added', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log, MINUTE)
    const watcher = recorder()
    const listening = log.addWatcher('42', watcher)
    log.removeWatcher('42', watcher)
    await listening
    await vi.waitFor(() => expect(gate.watching()).toBe(0))
    await log.append('42', 'queued', null)
    expect(watcher.pages).toEqual([])
  })

  test('gives the same page to all, once it has found its position', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log, MINUTE)
    const watchers = Array.from({ length: 3 }, recorder)
    for (const each of watchers) await log.addWatcher('42', each)
    const told = watchers.map(({ pages }) => pages)
    const count = (expected: number) => vi.waitFor(() => expect(told.map(({ length }) => length)).toEqual([expected, expected, expected]))
    await log.append('42', 'queued', null)
    await count(1)
    await log.append('42', 'started', null)
    await count(2)
    for (const pages of told) expect(seqsOf(pages)).toEqual([undefined, [2]])
    expect(told[0]?.[1]).toBe(told[2]?.[1])
    expect(gate.eventsRead()).toBe(1)
  })

  test('tells a single reader to read by itself', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log, MINUTE)
    const alone = recorder()
    const { pages } = alone
    await log.addWatcher('42', alone)
    for (let n = 1; n <= 3; n += 1) {
      await log.append('42', 'progress', null)
      await vi.waitFor(() => expect(pages).toHaveLength(n))
    }
    expect(seqsOf(pages)).toEqual([undefined, undefined, undefined])
    expect(gate.eventsRead()).toBe(0)
  })

  test('reports a failed watch to each reader, and tries again', async () => {
    const gate = createGate()
    const log = sharedLog(gate.log, MINUTE)
    const back = gate.outage()
    const refused = await Promise.allSettled([log.addWatcher('42', recorder()), log.addWatcher('42', recorder())])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    back()
    await log.addWatcher('42', recorder())
    expect(gate.watching()).toBe(1)
  })

  test('reports events that are appended while it looks up its position', async () => {
    const inner = memoryLog()
    let looked = 0
    const log = sharedLog(
      {
        ...inner,
        async snapshot(job) {
          looked += 1
          if (looked === 1) await inner.append(job, 'progress', null)
          return inner.snapshot(job)
        }
      },
      MINUTE
    )
    const seen: number[] = []
    const wake = async () => {
      seen.push((await inner.snapshot('42'))?.seq ?? 0)
    }
    await log.addWatcher('42', { wake })
    await log.addWatcher('42', recorder())
    await log.append('42', 'queued', null)
    await vi.waitFor(() => expect(seen.at(-1)).toBe(2))
  })
})

test('finds an event with a lost wake-up within a heartbeat, by one read for all followers of a job', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log, heartbeatMs: 50 })
  await jobs.publish('42', 'queued')
  const followers = Array.from({ length: 20 }, () => openSocket(`${base}/42/events`))
  for (const each of followers) await vi.waitFor(() => expect(each.events()).toHaveLength(1))
  await jobs.publish('42', 'started') // from here on the end of the log is known
  for (const each of followers) await vi.waitFor(() => expect(each.events()).toHaveLength(2))
  const beats = () => Math.min(...followers.map((each) => each.controls('heartbeat').length))
  const before = { beats: beats(), reads: gate.reads() }
  await vi.waitFor(() => expect(beats()).toBeGreaterThan(before.beats + 5))
  // Five heartbeats for twenty watchers, with some time to spare.
  expect(gate.reads() - before.reads).toBeLessThan(50)
  gate.loseWakeUps()
  await jobs.publish('42', 'succeeded')
  for (const each of followers) await vi.waitFor(() => expect(each.events()).toHaveLength(3))
})

test('a reader that could not read for a moment does so at its next heartbeat, though all others are at the end', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log, heartbeatMs: 50 })
  for (let n = 0; n < 150; n += 1) await jobs.publish('42', 'progress', n)
  const others = [openSocket(`${base}/42/events`), openSocket(`${base}/42/events`)]
  for (const each of others) await vi.waitFor(() => expect(each.events()).toHaveLength(150))
  await jobs.publish('42', 'progress', 150)
  for (const each of others) await vi.waitFor(() => expect(each.events()).toHaveLength(151))
  const readBefore = gate.eventsRead()
  let hasFailed = false
  gate.onRead(() => {
    if (gate.eventsRead() < readBefore + 100 || hasFailed) return
    hasFailed = true // in the middle of the reader's reads
    throw new LogError('unavailable', 'away for a moment')
  })
  const late = openSocket(`${base}/42/events`)
  await vi.waitFor(() => expect(late.events()).toHaveLength(151))
  expect(hasFailed).toBe(true)
})

test('many followers get every event once and in order, in bursts of any size and through outages', async () => {
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
