import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { attempt, createBackendBench, TERMINAL } from './backend/bench.ts'
import type { Cut } from './backend/faults.ts'
import type { BackendUnderTest } from './backend/types.ts'

export type { BackendUnderTest, FollowingClient, SeenEvent, ServedJob } from './backend/types.ts'

/**
 * Describes in Vitest what a `Backend` promises, by its `promises`: each event once and in order, an end only where the job ends, resuming after each kind of
 * cut, an abort within a tick, a renewed token after a 401, and a silent connection that is replaced. Starts a server and a proxy for each test.
 */
export function describeBackend(name: string, backend: BackendUnderTest): void {
  const { promises, stepOf, noticesSilence = true } = backend

  const { stage, stepsOf, follow, expectOnce, connected, steps } = createBackendBench(backend)

  describe(`backend: ${name}`, () => {
    test('each event once, in order, to the end', async () => {
      const { client, faults, job } = await stage()
      const { events, done, sees } = follow({ client, job })
      await connected(faults)
      await steps(job, sees, 1, 5)
      await job.end()
      await done
      expectOnce(events)
      expect(stepsOf(events)).toEqual([1, 2, 3, 4, 5])
      expect(events.some(({ type }) => type === 'gap')).toBe(false)
    })

    test('two readers of a job each get everything that the backend promises', async () => {
      const { client, faults, job } = await stage()
      const first = follow({ client, job })
      await connected(faults)
      await steps(job, first.sees, 1, 2)
      const second = follow({ client, job })
      // The second reader begins with events, or a state, that the first one has had.
      if (promises !== 'lossy') await second.sees(2)
      await connected(faults, 2)
      await job.step(3)
      await first.sees(3)
      await second.sees(3)
      await job.end()
      await Promise.all([first.done, second.done])
      expectOnce(first.events)
      expectOnce(second.events)
      expect(stepsOf(first.events)).toEqual([1, 2, 3])
      expect(stepsOf(second.events)).toEqual(promises === 'log' || promises === 'replay' ? [1, 2, 3] : promises === 'state' ? [2, 3] : [3])
    })

    describe.each<Cut>(['reset', 'clean end'])('after a %s in the middle', (how) => {
      test('the subscription continues, and ends only with the job', async () => {
        const { client, faults, job } = await stage()
        const { events, done, sees } = follow({ client, job })
        await connected(faults)
        await steps(job, sees, 1, 2)
        const before = faults.requests.length
        faults.cut(how)
        await vi.waitFor(() => expect(faults.requests.length).toBeGreaterThan(before), { timeout: 15_000 })
        if (promises === 'lossy') await vi.waitFor(() => expect(events.some(({ type }) => type === 'gap')).toBe(true), { timeout: 15_000 })
        await steps(job, sees, 3, 4)
        await job.end()
        await done
        expectOnce(events)
        expect(stepsOf(events)).toEqual([1, 2, 3, 4])
        expect(events.some(({ type }) => type === 'gap')).toBe(promises === 'lossy')
      })
    })

    test.each([429, 502, 503, 504])('an answer with %d is retried', async (status) => {
      const { client, faults, job } = await stage()
      faults.refuse(status, status)
      const { events, done, sees } = follow({ client, job })
      await connected(faults)
      await steps(job, sees, 1, 1)
      await job.end()
      await done
      expectOnce(events)
    })

    test('another client continues after the id of an event, as after a reload', async () => {
      const { client, faults, job } = await stage()
      const leaving = new AbortController()
      const first = follow({ client, job }, { signal: leaving.signal })
      await connected(faults)
      await steps(job, first.sees, 1, 2)
      leaving.abort()
      await expect(first.done).rejects.toBe(leaving.signal.reason)
      const after = first.events.findLast((event) => stepOf(event) === 2)?.id ?? ''
      const another = backend.client({ url: faults.url })
      onTestFinished(() => another.close())
      const second = follow({ client: another, job }, { after })
      if (promises === 'lossy') await vi.waitFor(() => expect(second.events[0]?.type).toBe('gap'))
      await job.step(3)
      await second.sees(3)
      await job.end()
      await second.done
      expectOnce(second.events)
      expect(stepsOf(second.events)).toEqual([3])
    })

    test("after 'tail' comes what is new, or the backend refuses it", async () => {
      const { client, faults, job } = await stage()
      await job.step(1)
      const refusal = attempt(() => client.subscribe(job.id, { after: 'tail' }))
      if (refusal) return expect(refusal).toMatchObject({ code: 'bad-request', message: expect.stringMatching(/^after: /) })
      const { events, done, sees } = follow({ client, job }, { after: 'tail' })
      if (promises === 'state') await sees(1)
      else await vi.waitFor(() => expect(faults.begun).toBeGreaterThan(0), { timeout: 15_000, interval: 5 })
      await job.step(2)
      await sees(2)
      await job.end()
      await done
      expectOnce(events)
      expect(stepsOf(events)).toEqual(promises === 'state' ? [1, 2] : [2]) // a document is what it is now
    })

    test('an abort rejects a pending next() with its reason within a tick, and releases the connection', async () => {
      const { client, faults, job } = await stage()
      const leaving = new AbortController()
      const iterator = client.subscribe(job.id, { signal: leaving.signal })[Symbol.asyncIterator]()
      const first = iterator.next()
      await connected(faults)
      await job.step(1)
      for (let { value } = await first; stepOf(value) !== 1; ) value = (await iterator.next()).value
      const pending = iterator.next()
      const reason = new Error('enough')
      leaving.abort(reason)
      const isFirst = await Promise.race([
        pending.then(
          () => 'value',
          (error) => error
        ),
        new Promise((resolve) => setImmediate(resolve, 'late'))
      ])
      expect(isFirst).toBe(reason)
      await vi.waitFor(() => expect(faults.open).toBe(0))
      const { length } = faults.requests
      await new Promise((resolve) => setImmediate(resolve))
      expect(faults.requests).toHaveLength(length)
    })

    test('after a 401 the token source is asked for another token', async () => {
      const tokens = ['old', 'new']
      const { client, faults, job } = await stage(() => tokens.shift() ?? 'new')
      faults.require('new')
      const { events, done, sees } = follow({ client, job })
      await connected(faults)
      await steps(job, sees, 1, 1)
      await job.end()
      await done
      expectOnce(events)
      expect(faults.requests[0]?.headers.authorization).toBe('Bearer old')
    })

    test.runIf(noticesSilence)('a silent connection is noticed and replaced', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
      onTestFinished(() => void vi.useRealTimers())
      const { client, faults, job } = await stage()
      const { events, done } = follow({ client, job })
      /** Advances the fake time, and lets real I/O happen in between, until the condition holds. */
      const until = async (isSo: () => boolean): Promise<void> => {
        for (const since = process.hrtime(); !isSo() && process.hrtime(since)[0] < 10; ) {
          await vi.advanceTimersByTimeAsync(20)
          await new Promise((resolve) => setImmediate(resolve))
        }
        expect(isSo(), `${stepsOf(events)}`).toBe(true)
      }
      await until(() => faults.begun > 0 || promises !== 'lossy')
      await job.step(1)
      await until(() => stepsOf(events).includes(1))
      await until(() => faults.open > 0)
      faults.mute()
      await job.step(2)
      if (promises === 'lossy') await until(() => events.some(({ type }) => type === 'gap'))
      else await until(() => stepsOf(events).includes(2))
      await job.end()
      await until(() => TERMINAL.includes(events.at(-1)?.type ?? ''))
      await done
      expectOnce(events)
    })
  })
}
