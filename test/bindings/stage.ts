/** In a page: a job server of its own behind a proxy that misbehaves on demand. `control/setup.ts` runs it. */

import { inject, onTestFinished } from 'vitest'
import type { Faults } from '../../demo/proxy.ts'
import type { ControlRequest } from './control/setup.ts'
import type { Counts } from './control/stage.ts'

export interface Stage {
  /** The `{base}` of PROTOCOL.md. Its origin is not the page's, and is this test's alone. */
  readonly url: string
  /** Appends an event to a job, and creates the job with its first one. */
  publish(job: string, type: string, data?: unknown): Promise<void>
  /** Appends `progress` events at an even rate. Resolves with how many there were, once all are appended. */
  burst(job: string, options: { perSecond: number; ms: number }): Promise<number>
  /** Ends a job that the page has started as `succeeded`. Such a job runs until then, or until it is cancelled. */
  finish(job: string, result?: unknown): Promise<void>
  /** How many connections for jobs are open, and how many requests of each kind have arrived. */
  counts(): Promise<Counts>
  /** Cuts every connection that is open now. Later ones are not cut. */
  cut(): Promise<void>
  /** Changes faults of the proxy, such as `{ webSocket: 'refuse' }` or `{ stalled: true }`. They also act on open connections. */
  set(faults: Partial<Faults>): Promise<void>
}

/** Starts a job server. It is closed at the end of the test. */
export async function createStage(): Promise<Stage> {
  const control = inject('bindingsControl')
  const request = async (path: string, method: string, body?: ControlRequest): Promise<unknown> => {
    const response = await fetch(`${control}/${path}`, { method, ...(body && { body: JSON.stringify(body) }) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} ${body?.method ?? ''}: ${text}`)
    return JSON.parse(text)
  }
  const { id, url } = (await request('', 'POST')) as { id: string; url: string } // as: control/setup.ts answers so
  onTestFinished(async () => void (await request(id, 'DELETE')))
  const call = (method: ControlRequest['method'], ...args: unknown[]): Promise<unknown> => request(id, 'POST', { method, args })
  const perform = async (...args: Parameters<typeof call>): Promise<void> => void (await call(...args))

  return {
    url,
    publish: (job, type, data = null) => perform('publish', job, type, data),
    burst: async (job, { perSecond, ms }) => Number(await call('burst', job, perSecond, ms)),
    finish: (job, result = null) => perform('finish', job, result),
    counts: async () => (await call('counts')) as Counts, // as: control/setup.ts answers so
    cut: () => perform('cut'),
    set: (faults) => perform('set', faults)
  }
}
