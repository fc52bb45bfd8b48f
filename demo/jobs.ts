/** The kinds of job that the demo runs. Each does real work on this machine, slowed down so that people can watch it. */

import { type JobContext, JobError } from '../src/server/index.ts'
import { exportOrders } from './jobs/export.ts'
import { streamText } from './jobs/stream.ts'
import { validateRows } from './jobs/validate.ts'

export interface Pace {
  /** The number of steps. Each makes at least one event. */
  steps: number
  /** The pause after each step, in ms. */
  intervalMs: number
}

interface Kind {
  pace: Pace
  work(job: JobContext, pace: Pace): Promise<unknown>
}

const kinds: Readonly<Record<string, Kind>> = {
  export: { pace: { steps: 400, intervalMs: 125 }, work: exportOrders },
  fail: { pace: { steps: 160, intervalMs: 60 }, work: validateRows },
  stream: { pace: { steps: 240, intervalMs: 60 }, work: streamText }
}

/** A `JobError`, because its message is sent to the page. The message of any other error stays on the server. */
const badInput = (message: string): JobError => new JobError('bad-input', message)

/**
 * Runs the job that `{ kind, events?, intervalMs? }` describes. `events` is the number of steps; `intervalMs` is the pause after each.
 *
 * @throws JobError `bad-input` where the input is anything else
 */
export async function runJob(job: JobContext, input: unknown): Promise<unknown> {
  const { kind, events, intervalMs } = (input ?? {}) as { kind?: unknown; events?: unknown; intervalMs?: unknown } // as: any JSON; each field is checked below
  const chosen = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (!chosen) throw badInput(`kind: expected one of ${Object.keys(kinds).join(', ')}, got ${JSON.stringify(kind)}`)
  return chosen.work(job, {
    steps: count('events', events, chosen.pace.steps, 1, 5000),
    intervalMs: count('intervalMs', intervalMs, chosen.pace.intervalMs, 0, 10_000)
  })
}

function count(name: string, value: unknown, normal: number, least: number, most: number): number {
  if (value === undefined) return normal
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw badInput(`${name}: expected an integer from ${least} to ${most}, got ${JSON.stringify(value)}`)
}
