/** Leases: taking, renewing, releasing, expiring. */

import { expect, test } from 'vitest'
import { graceOf, LEASE_IS_OVER } from '../../server/log/types.ts'
import type { Workbench } from './workbench.ts'

const LEASE_MS = 200
const lost = { type: 'failed', data: { code: 'lost', retryable: true, message: expect.any(String) } }
/** With a long timeout, since the machine may be busy. */
const eventually = <T>(find: () => T) => expect.poll(find, { timeout: 20_000 })

export function describeLeases({ open, newId, readAll }: Workbench): void {
  test.each(['read', 'snapshot', 'append'] as const)('a job whose lease has expired ends at the next call: %s', async (how) => {
    const log = await open()
    const id = newId()
    const begun = performance.now()
    await log.append(id, 'queued', {}, { lease: { owner: 'a', ms: LEASE_MS } })
    const look = {
      read: async () => (await log.read(id, undefined, 10))?.events.at(-1)?.type,
      snapshot: async () => (await log.snapshot(id))?.status,
      append: () =>
        log.append(id, 'log', {}).then(
          () => 'running',
          ({ code }) => (code === 'ended' ? 'failed' : code)
        )
    }
    await eventually(look[how]).toBe('failed')
    expect(performance.now() - begun).toBeGreaterThanOrEqual(LEASE_MS)
    const page = await readAll(log, id)
    expect(page).toMatchObject({ done: true })
    expect(page?.events.at(-1)).toMatchObject(lost)
    expect(await log.snapshot(id)).toMatchObject({ status: 'failed', error: lost.data, seq: page?.events.length, cursor: page?.cursor })
    await expect(log.append(id, 'output', 1, { lease: { owner: 'a', ms: LEASE_MS } })).rejects.toMatchObject({ code: 'ended' })
    expect(await log.renew(id, 'a', LEASE_MS)).toBe(false)
  })

  test('of many calls at once, one ends the job', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {}, { lease: { owner: 'a', ms: LEASE_MS } })
    await eventually(async () => {
      await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? log.snapshot(id) : log.read(id, undefined, n + 1))))
      return (await log.snapshot(id))?.status
    }).toBe('failed')
    expect((await readAll(log, id))?.events).toHaveLength(2)
  })

  test('a lease can be renewed, by renew or by an append; its owner is woken where it has expired, and may still renew it', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {}, { lease: { owner: 'a', ms: LEASE_MS } })
    const begun = performance.now()
    let warned = 0
    await log.watch(id, (what) => {
      if (what !== LEASE_IS_OVER) return
      warned += 1
      if (warned % 2 === 1) void log.renew(id, 'a', LEASE_MS)
      else void log.append(id, 'progress', {}, { lease: { owner: 'a', ms: LEASE_MS } })
    })
    // A constant stream of reads, so that each expiry is noticed at once.
    const looking = setInterval(() => void log.snapshot(id).catch(() => {}), 20)
    await eventually(() => warned).toBeGreaterThanOrEqual(4)
    clearInterval(looking)
    expect(performance.now() - begun).toBeGreaterThan(LEASE_MS + graceOf(LEASE_MS))
    expect(await log.snapshot(id)).toMatchObject({ status: 'running' })
    expect(await log.renew(id, 'a', 60_000)).toBe(true)
    await log.append(id, 'succeeded', 1, { lease: { owner: 'a', ms: 60_000 } })
    expect(await log.renew(id, 'a', 60_000)).toBe(false)
  })

  test('appends and renewals of another owner are refused', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'started', {}, { lease: { owner: 'a', ms: 60_000 } })
    await expect(log.append(id, 'output', 1, { lease: { owner: 'b', ms: 60_000 } })).rejects.toMatchObject({ name: 'LogError', code: 'conflict' })
    expect(await log.renew(id, 'b', 60_000)).toBe(false)
    expect(await log.renew(id, 'a', 60_000)).toBe(true)
    // An append without a lease is not refused: anybody may cancel.
    expect(await log.append(id, 'cancelling', {})).toMatchObject({ seq: 2 })
  })

  test('a job without a lease gives it to one of several owners; renewing for an unknown job is true', async () => {
    const log = await open()
    const id = newId()
    expect(await log.renew(newId(), 'a', LEASE_MS)).toBe(true)
    await log.append(id, 'queued', {})
    expect((await log.read(id, undefined, 10))?.leaseMs).toBeUndefined()
    const taken = await Promise.all(['a', 'b', 'c'].map((owner) => log.renew(id, owner, 60_000)))
    expect(taken.filter(Boolean)).toHaveLength(1)
  })

  test('a released lease can be taken by another owner', async () => {
    const log = await open()
    const id = newId()
    await log.append(id, 'queued', {}, { lease: { owner: 'a', ms: 60_000 } })
    expect(await log.renew(id, 'b', 0)).toBe(false)
    expect(await log.renew(id, 'a', 0)).toBe(true)
    expect(await log.renew(id, 'b', 60_000)).toBe(true)
    expect(await log.renew(id, 'a', 60_000)).toBe(false)
  })

  test.each([
    [{ owner: '', ms: 1 }, /lease.owner: expected/],
    [{ owner: 'a', ms: -1 }, /lease.ms: expected/],
    [{ owner: 'a', ms: Number.NaN }, /lease.ms: expected/],
    [{ owner: 'a', ms: 2 ** 31 }, /lease.ms: expected/]
  ])('the lease %j is refused', async (lease, message) => {
    const log = await open()
    const id = newId()
    await expect(log.append(id, 'queued', {}, { lease })).rejects.toThrow(message)
    await expect(log.renew(id, lease.owner, lease.ms)).rejects.toThrow(message)
    expect(await log.snapshot(id)).toBeUndefined()
  })
}
