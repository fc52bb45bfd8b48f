/** The set-up of the tests of a backend: a server behind a proxy, a client, and what a reader has seen. */

import { expect, onTestFinished, vi } from 'vitest'
import { createFaults, type Faults } from './faults.ts'
import type { BackendUnderTest, FollowingClient, SeenEvent, ServedJob } from './types.ts'

export const TERMINAL: readonly string[] = ['succeeded', 'failed', 'cancelled']

/** What a call throws; `undefined` where it returns. */
export function attempt(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
}

export interface Stage {
  faults: Faults
  client: FollowingClient
  job: ServedJob
}

export interface Following {
  events: SeenEvent[]
  /** Settles with the loop's end. */
  done: Promise<void>
  /** Resolves once an event of this step was seen. */
  sees(step: number): Promise<void>
}

export interface BackendBench {
  stage(token?: () => string): Promise<Stage>
  stepsOf(events: readonly SeenEvent[]): number[]
  follow(stage: Pick<Stage, 'client' | 'job'>, options?: { after?: string; signal?: AbortSignal }): Following
  expectOnce(events: readonly SeenEvent[]): void
  connected(faults: Faults, readers?: number): Promise<void>
  steps(job: ServedJob, sees: (step: number) => Promise<void>, from: number, to: number): Promise<void>
}

export function createBackendBench(backend: BackendUnderTest): BackendBench {
  const { promises, stepOf } = backend

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

  /** Follows a job. Returns the events so far, the promise of the loop's end, and a function that waits for a step. */
  function follow({ client, job }: Pick<Stage, 'client' | 'job'>, options: { after?: string; signal?: AbortSignal } = {}): Following {
    const events: SeenEvent[] = []
    const done = (async () => {
      for await (const event of client.subscribe(job.id, options)) events.push(event)
    })()
    done.catch(() => {}) // the test that awaits it gets the rejection
    const sees = (step: number): Promise<void> => vi.waitFor(() => expect(stepsOf(events)).toContain(step), { timeout: 15_000, interval: 5 })
    return { events, done, sees }
  }

  /** Expects each step once and in order, and one terminal event at the end. */
  const expectOnce = (events: readonly SeenEvent[]): void => {
    const steps = stepsOf(events)
    expect(new Set(steps).size, `steps ${steps}`).toBe(steps.length)
    expect(steps, 'in order').toEqual([...steps].sort((a, b) => a - b))
    expect(
      events.filter(({ type }) => TERMINAL.includes(type)).map(({ type }) => type),
      'one end'
    ).toEqual(['succeeded'])
    expect(events.at(-1)?.type, 'the end is the last').toBe('succeeded')
  }

  /** With `lossy`, waits until the readers are connected: events before that are lost. */
  const connected = (faults: Faults, readers = 1): Promise<void> =>
    vi.waitFor(() => expect(faults.begun).toBeGreaterThanOrEqual(promises === 'lossy' ? readers : 0), { timeout: 15_000, interval: 5 })

  /** Makes the job do steps, each after the one before was seen. */
  async function steps(job: ServedJob, sees: (step: number) => Promise<void>, from: number, to: number): Promise<void> {
    for (let n = from; n <= to; n += 1) {
      await job.step(n)
      await sees(n)
    }
  }

  return { stage, stepsOf, follow, expectOnce, connected, steps }
}
