/** Reruns: a job whose lease has expired is queued again, and adopted. */

import { expect, test } from 'vitest'
import type { EventLog } from '../../server/log/types.ts'
import type { Workbench } from './workbench.ts'

const LEASE_MS = 200
const lease = (owner: string, ms = LEASE_MS) => ({ owner, ms })
/** With a long timeout, since the machine may be busy. */
const eventually = <T>(find: () => T) => expect.poll(find, { timeout: 20_000 })

/** The tests are skipped for a log without `adopt`. */
export function describeReruns({ open, newId, readAll }: Workbench): void {
  const statusOf = (log: EventLog, id: string) => eventually(async () => (await log.snapshot(id))?.status)
  const typesOf = async (log: EventLog, id: string) => (await readAll(log, id))?.events.map(({ type }) => type)

  async function openAdopting(skip: (note: string) => never): Promise<{ log: EventLog; adopt: NonNullable<EventLog['adopt']> }> {
    const log = await open()
    return { log, adopt: log.adopt?.bind(log) ?? skip('the log has no `adopt`') }
  }

  test('a job with rerun is queued again where its lease has expired, and ends where it has no attempts left', async ({ skip }) => {
    const { log, adopt } = await openAdopting(skip)
    const id = newId()
    const input = '{"secret":"ü\\n"}'
    await log.append(id, 'queued', {}, { lease: lease('a'), rerun: { input, maxAttempts: 2 } })
    expect(await adopt(id, 'b', LEASE_MS)).toBeUndefined()
    await log.append(id, 'started', {}, { lease: lease('a') })
    await statusOf(log, id).toBe('queued')
    expect(await readAll(log, id)).toMatchObject({
      done: false,
      events: [{}, {}, { type: 'retrying', data: { code: 'lost', attempt: 2, message: expect.any(String) } }, { seq: 4, type: 'queued', data: {} }]
    })
    const adopted = await Promise.all(['b', 'c', 'd'].map((owner) => adopt(id, owner, LEASE_MS)))
    expect(adopted.filter(Boolean)).toEqual([{ input, attempt: 2 }])
    await statusOf(log, id).toBe('failed')
    expect(await typesOf(log, id)).toEqual(['queued', 'started', 'retrying', 'queued', 'failed'])
    expect(await adopt(id, 'e', LEASE_MS)).toBeUndefined()
    expect(JSON.stringify([await readAll(log, id), await log.snapshot(id)])).not.toContain('secret')
  })

  test('an owner that has lost the lease gets it back neither by an append nor by a renewal, before and after another owner has it', async ({ skip }) => {
    const { log, adopt } = await openAdopting(skip)
    const id = newId()
    await log.append(id, 'queued', {}, { lease: lease('a'), rerun: { input: '', maxAttempts: 5 } })
    await statusOf(log, id).toBe('queued')
    await eventually(() => typesOf(log, id)).toContain('retrying')
    const isFenced = async () => {
      expect(await log.renew(id, 'a', 60_000)).toBe(false)
      await expect(log.append(id, 'succeeded', 1, { lease: lease('a') })).rejects.toMatchObject({ code: 'conflict' })
    }
    await isFenced()
    expect(await adopt(id, 'b', 60_000)).toEqual({ input: '', attempt: 2 })
    await isFenced()
    await log.append(id, 'succeeded', 1, { lease: lease('b', 60_000) })
    expect(await typesOf(log, id)).toEqual(['queued', 'retrying', 'queued', 'succeeded'])
  })

  test('a released job can be adopted, as the same attempt', async ({ skip }) => {
    const { log, adopt } = await openAdopting(skip)
    const id = newId()
    await log.append(id, 'queued', {}, { lease: lease('a', 60_000), rerun: { input: '1', maxAttempts: 3 } })
    const heard: unknown[] = []
    await log.watch(id, (what) => heard.push(what))
    expect(await log.renew(id, 'a', 0)).toBe(true)
    await eventually(() => heard).toContain('queued') // the job can be adopted
    expect(await log.renew(id, 'b', 60_000)).toBe(false)
    expect(await adopt(id, 'b', 60_000)).toEqual({ input: '1', attempt: 1 })
    expect(await adopt(id, 'b', 60_000)).toEqual({ input: '1', attempt: 1 }) // adopting again is allowed, since the answer may have been lost
  })

  test('a cancelled job is not run again; a job that was reset, or has no rerun, cannot be adopted', async ({ skip }) => {
    const { log, adopt } = await openAdopting(skip)
    const [cancelled, forgotten, plain] = [newId(), newId(), newId()]
    const rerun = { input: '1', maxAttempts: 3 }
    await log.append(cancelled, 'queued', {}, { lease: lease('a'), rerun })
    await log.append(cancelled, 'cancelling', {})
    await log.append(forgotten, 'queued', {}, { lease: lease('a'), rerun })
    await log.reset(forgotten)
    await log.append(forgotten, 'queued', {})
    await log.append(plain, 'queued', {})
    await statusOf(log, cancelled).toBe('failed')
    for (const id of [cancelled, forgotten, plain, newId()]) expect(await adopt(id, 'b', 60_000)).toBeUndefined()
    expect(await log.renew(plain, 'b', 60_000)).toBe(true)
  })

  test.for([
    [{ rerun: { input: '1', maxAttempts: 3 } }, /rerun: expected with a lease/] as const,
    [{ lease: lease('a'), rerun: { input: 1 as unknown as string, maxAttempts: 3 } }, /rerun.input: expected text, got 1/] as const,
    [{ lease: lease('a'), rerun: { input: '1', maxAttempts: 0 } }, /rerun.maxAttempts: expected an integer from 1, got 0/] as const
  ])('the options %j are refused', async ([options, message], { skip }) => {
    const { log } = await openAdopting(skip)
    const id = newId()
    await expect(log.append(id, 'queued', {}, options)).rejects.toThrow(message)
    expect(await log.snapshot(id)).toBeUndefined()
  })
}
