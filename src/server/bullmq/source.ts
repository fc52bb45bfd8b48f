import { type ConnectionOptions, type JobType, Queue, QueueEvents } from 'bullmq'
import { orAborted } from '../../async/signals.ts'
import type { Entry, QueuedJob } from './to-job-event.ts'

export interface SourceOptions {
  queue: string
  connection: ConnectionOptions
  prefix?: string
  signal: AbortSignal
  onError: (error: unknown) => void
}

/** A queue, read only: nothing is written to its Redis. */
export interface Source {
  /** The entries after one, waiting `waitMs` (from 1) for the first. */
  entries(after: string, waitMs: number): Promise<Entry[]>
  job(id: string): Promise<QueuedJob | undefined>
  /** Log rows from this one on. */
  rows(id: string, from: number): Promise<string[]>
  unfinished(): Promise<string[]>
  /** Those that have ended, latest first. */
  finished(state: 'completed' | 'failed', from: number, count: number): Promise<string[]>
  close(): Promise<void>
}

/** How long after its time BullMQ gives a read up, as one that found nothing. */
const LATE_MS = 1000

const UNFINISHED: JobType[] = ['active', 'wait', 'delayed', 'prioritized', 'waiting-children']

export function createSource({ queue: name, connection, prefix, signal, onError }: SourceOptions): Source {
  const options = { connection, ...(prefix === undefined ? {} : { prefix }) }
  const queue = new Queue(name, { ...options, skipMetasUpdate: true })
  const events = new QueueEvents(name, { ...options, autorun: false })
  // A connection that is lost is made anew by BullMQ; without a listener it would end the process.
  const report = (error: unknown): void => {
    if (!signal.aborted) onError(error)
  }
  queue.on('error', report)
  events.on('error', report)

  let reading: Promise<unknown> = Promise.resolve()

  const ask = <T>(asked: Promise<T>): Promise<T> => orAborted(asked, signal)

  return {
    async entries(after, waitMs) {
      // Not by QueueEvents' own loop: it reads on whether or not anybody keeps up.
      const begun = performance.now()
      const asked = events.getBackend().readEvents(after, waitMs)
      reading = asked
      const streams = (await ask(asked)) as [string, [string, string[]][]][] | null | undefined // as: XREAD's reply
      if (!streams && performance.now() - begun >= waitMs + LATE_MS) throw new Error(`the queue's Redis gave no answer within ${waitMs + LATE_MS} ms`)
      return (streams?.[0]?.[1] ?? []).map(([id, flat]) => {
        const fields: Record<string, string> = {}
        for (let at = 0; at < flat.length; at += 2) fields[flat[at] ?? ''] = flat[at + 1] ?? ''
        return { id, event: fields.event ?? '', jobId: fields.jobId ?? '', fields }
      })
    },
    async job(id) {
      const [job, state] = await ask(Promise.all([queue.getJob(id), queue.getJobState(id)]))
      if (!job) return undefined
      const { attemptsStarted: attempts, attemptsMade: failures, progress, returnvalue, failedReason, finishedOn } = job
      return { name: job.name, state, attempts, failures, progress, result: returnvalue, failedReason, finishedOn }
    },
    rows: async (id, from) => (await ask(queue.getJobLogs(id, from, -1, true))).logs,
    unfinished: () => ask(queue.getRanges(UNFINISHED, 0, -1, true)),
    finished: (state, from, count) => ask(queue.getRanges([state], from, from + count - 1, false)),
    async close() {
      // By force: their own `close` waits for a Redis that is away.
      await Promise.allSettled([events, queue].map((each) => each.getBackend().close(true)))
      // A read that BullMQ has given up is connecting anew, and doesn't look whether it is closed.
      reading
        .catch(() => {})
        .then(() => events.getBackend().client)
        .then((client) => client.status === 'end' || client.disconnect())
        .catch(() => {}) // it never was connected
    }
  }
}
