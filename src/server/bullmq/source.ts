import { type ConnectionOptions, type JobType, Queue, QueueEvents } from 'bullmq'
import { orAborted } from '../../async/signals.ts'
import type { QueuedJob, QueueEntry } from './to-job-event.ts'

export interface SourceOptions {
  queue: string
  connection: ConnectionOptions
  prefix?: string
  signal: AbortSignal
  onError: (error: unknown) => void
}

/** Reads a queue. Nothing is written to its Redis. */
export interface Source {
  /** The stream's entries after an id. Waits up to `waitMs`, from 1, for the first. */
  entries(after: string, waitMs: number): Promise<QueueEntry[]>
  job(id: string): Promise<QueuedJob | undefined>
  /** The job's log rows from the index `from`. */
  rows(id: string, from: number): Promise<string[]>
  /** The ids of all jobs that have not ended. */
  unfinished(): Promise<string[]>
  /** The ids of ended jobs, the latest first. */
  finished(state: 'completed' | 'failed', from: number, count: number): Promise<string[]>
  close(): Promise<void>
}

/** How long after `waitMs` BullMQ gives up a blocking read, and reports it as one that found nothing. */
const LATE_MS = 1000

const UNFINISHED: JobType[] = ['active', 'wait', 'delayed', 'prioritized', 'waiting-children']

export function createSource({ queue: name, connection, prefix, signal, onError }: SourceOptions): Source {
  const options = { connection, ...(prefix === undefined ? {} : { prefix }) }
  const queue = new Queue(name, { ...options, skipMetasUpdate: true })
  const events = new QueueEvents(name, { ...options, autorun: false })
  // BullMQ reconnects by itself. Without a listener, its 'error' events would end the process.
  const onConnectionError = (error: unknown): void => {
    if (!signal.aborted) onError(error)
  }
  queue.on('error', onConnectionError)
  events.on('error', onConnectionError)

  let reading: Promise<unknown> = Promise.resolve()

  const untilClosed = <T>(asked: Promise<T>): Promise<T> => orAborted(asked, signal)

  return {
    async entries(after, waitMs) {
      // Not by the loop of QueueEvents, which has no backpressure: it reads on even where its listeners can't keep up.
      const begun = performance.now()
      const asked = events.getBackend().readEvents(after, waitMs)
      reading = asked
      const streams = (await untilClosed(asked)) as [string, [string, string[]][]][] | null | undefined // as: the form of XREAD's reply
      if (!streams && performance.now() - begun >= waitMs + LATE_MS) throw new Error(`the queue's Redis gave no answer within ${waitMs + LATE_MS} ms`)
      return (streams?.[0]?.[1] ?? []).map(([id, flat]) => {
        const fields: Record<string, string> = {}
        for (let at = 0; at < flat.length; at += 2) fields[flat[at] ?? ''] = flat[at + 1] ?? ''
        return { id, event: fields.event ?? '', jobId: fields.jobId ?? '', fields }
      })
    },
    async job(id) {
      const [job, state] = await untilClosed(Promise.all([queue.getJob(id), queue.getJobState(id)]))
      if (!job) return undefined
      const { attemptsStarted: attempts, attemptsMade, progress, returnvalue, failedReason, finishedOn } = job
      // BullMQ counts the attempt that has ended the job as made, also one that has succeeded.
      const failures = finishedOn === undefined ? attemptsMade : attemptsMade - 1
      return { name: job.name, state, attempts, failures, progress, result: returnvalue, failedReason, finishedOn }
    },
    rows: async (id, from) => (await untilClosed(queue.getJobLogs(id, from, -1, true))).logs,
    unfinished: () => untilClosed(queue.getRanges(UNFINISHED, 0, -1, true)),
    finished: (state, from, count) => untilClosed(queue.getRanges([state], from, from + count - 1, false)),
    async close() {
      // By force: without that, `close` waits for a Redis that can't be reached.
      await Promise.allSettled([events, queue].map((each) => each.getBackend().close(true)))
      // After a read that BullMQ has given up, the client may be reconnecting, and doesn't notice that it was closed.
      reading
        .catch(() => {})
        .then(() => events.getBackend().client)
        .then((client) => client.status === 'end' || client.disconnect())
        .catch(() => {}) // the client was never connected
    }
  }
}
