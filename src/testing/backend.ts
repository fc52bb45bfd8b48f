import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Cut, createFaults, type Faults } from './backend/faults.ts'
import type { BackendUnderTest, FollowingClient, SeenEvent, ServedJob } from './backend/types.ts'

export type { BackendUnderTest, FollowingClient, SeenEvent, ServedJob } from './backend/types.ts'

const TERMINAL = ['succeeded', 'failed', 'cancelled']

interface Stage {
  faults: Faults
  client: FollowingClient
  job: ServedJob
}

/** What every backend promises, each as it says of itself: `log` and `replay` each event once, `state` each observed change once, `lossy` a `gap` where it was cut. */
export function describeBackend(name: string, backend: BackendUnderTest): void {
  const { promises, stepOf, noticesSilence = true } = backend

  async function stage(token?: () => string): Promise<Stage> {
    const server = await backend.serve()
    const faults = await createFaults(server.url)
    const client = backend.client({ url: faults.url, ...(token && { token }) })
    onTestFinished(async () => {
      client.close()
      await faults.close()
      await server.close()
    })
    return { faults, client, job: await server.job() }
  }

  const stepsOf = (events: readonly SeenEvent[]): number[] => events.map(stepOf).filter((step) => step !== undefined)

  /** Follows a job: what has been seen so far, and the end of the loop. */
  function follow({ client, job }: Pick<Stage, 'client' | 'job'>, options: { after?: string; signal?: AbortSignal } = {}) {
    const events: SeenEvent[] = []
    const done = (async () => {
      for await (const event of client.subscribe(job.id, options)) events.push(event)
    })()
    done.catch(() => {}) // whoever waits for it sees it
    const sees = (step: number): Promise<void> => vi.waitFor(() => expect(stepsOf(events)).toContain(step), { timeout: 15_000, interval: 5 })
    return { events, done, sees }
  }

  const once = (events: readonly SeenEvent[]): void => {
    const steps = stepsOf(events)
    expect(new Set(steps).size, `steps ${steps}`).toBe(steps.length)
    expect(steps, 'in order').toEqual([...steps].sort((a, b) => a - b))
    expect(
      events.filter(({ type }) => TERMINAL.includes(type)).map(({ type }) => type),
      'one end'
    ).toEqual(['succeeded'])
    expect(events.at(-1)?.type, 'the end is the last').toBe('succeeded')
  }

  /** What nobody listens to is lost where that is all that is promised. */
  const heard = (faults: Faults, readers = 1): Promise<void> =>
    vi.waitFor(() => expect(faults.begun).toBeGreaterThanOrEqual(promises === 'lossy' ? readers : 0), { timeout: 15_000, interval: 5 })

  /** Steps that have been seen before they were followed by others. */
  async function steps(job: ServedJob, sees: (step: number) => Promise<void>, from: number, to: number): Promise<void> {
    for (let n = from; n <= to; n += 1) {
      await job.step(n)
      await sees(n)
    }
  }

  describe(`backend: ${name}`, () => {
    test('each event once, in order, to the end', async () => {
      const { client, faults, job } = await stage()
      const { events, done, sees } = follow({ client, job })
      await heard(faults)
      await steps(job, sees, 1, 5)
      await job.end()
      await done
      once(events)
      expect(stepsOf(events)).toEqual([1, 2, 3, 4, 5])
      expect(events.some(({ type }) => type === 'gap')).toBe(false)
    })

    test('two readers of a job each have all of it that this promises', async () => {
      const { client, faults, job } = await stage()
      const first = follow({ client, job })
      await heard(faults)
      await steps(job, first.sees, 1, 2)
      const second = follow({ client, job })
      // One that begins where the other one isn't, or a state that has been there before.
      if (promises !== 'lossy') await second.sees(2)
      await heard(faults, 2)
      await job.step(3)
      await first.sees(3)
      await second.sees(3)
      await job.end()
      await Promise.all([first.done, second.done])
      once(first.events)
      once(second.events)
      expect(stepsOf(first.events)).toEqual([1, 2, 3])
      expect(stepsOf(second.events)).toEqual(promises === 'log' || promises === 'replay' ? [1, 2, 3] : promises === 'state' ? [2, 3] : [3])
    })

    describe.each<Cut>(['reset', 'clean end'])('after a %s in the middle', (how) => {
      test('it goes on, and nothing but the job ends it', async () => {
        const { client, faults, job } = await stage()
        const { events, done, sees } = follow({ client, job })
        await heard(faults)
        await steps(job, sees, 1, 2)
        const before = faults.requests.length
        faults.cut(how)
        await vi.waitFor(() => expect(faults.requests.length).toBeGreaterThan(before), { timeout: 15_000 })
        if (promises === 'lossy') await vi.waitFor(() => expect(events.some(({ type }) => type === 'gap')).toBe(true), { timeout: 15_000 })
        await steps(job, sees, 3, 4)
        await job.end()
        await done
        once(events)
        expect(stepsOf(events)).toEqual([1, 2, 3, 4])
        expect(events.some(({ type }) => type === 'gap')).toBe(promises === 'lossy')
      })
    })

    test.each([429, 502, 503, 504])('an answer of %d is passed over', async (status) => {
      const { client, faults, job } = await stage()
      faults.refuse(status, status)
      const { events, done, sees } = follow({ client, job })
      await heard(faults)
      await steps(job, sees, 1, 1)
      await job.end()
      await done
      once(events)
    })

    test('another reader goes on from the id of an event, as after a reload', async () => {
      const { client, faults, job } = await stage()
      const leaving = new AbortController()
      const first = follow({ client, job }, { signal: leaving.signal })
      await heard(faults)
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
      once(second.events)
      expect(stepsOf(second.events)).toEqual([3])
    })

    test('an abort rejects what is pending with its reason, within a tick, and lets go of the connection', async () => {
      const { client, faults, job } = await stage()
      const leaving = new AbortController()
      const iterator = client.subscribe(job.id, { signal: leaving.signal })[Symbol.asyncIterator]()
      const first = iterator.next()
      await heard(faults)
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

    test('a 401 asks for another token', async () => {
      const tokens = ['old', 'new']
      const { client, faults, job } = await stage(() => tokens.shift() ?? 'new')
      faults.require('new')
      const { events, done, sees } = follow({ client, job })
      await heard(faults)
      await steps(job, sees, 1, 1)
      await job.end()
      await done
      once(events)
      expect(faults.requests[0]?.headers.authorization).toBe('Bearer old')
    })

    test.runIf(noticesSilence)('a path that has gone silent is noticed, and left', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
      onTestFinished(() => void vi.useRealTimers())
      const { client, faults, job } = await stage()
      const { events, done } = follow({ client, job })
      /** Lets time pass, and the network do its work, until then. */
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
      once(events)
    })
  })
}
