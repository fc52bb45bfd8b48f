/** A status document, asked for until it says that the job is over. Promises `state`. */

import { now } from '../async/clock.ts'
import { child, delay } from '../async/signals.ts'
import { isHidden, untilSeen } from '../page.ts'
import { type ErrorControl, type Frame, isControl, type JobSnapshot, type JobStatus } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import { statusAfter } from '../protocol/status.ts'
import type { Backend, Batch, OpenRequest, Transport } from '../types.ts'
import type { ChangeFeed } from './change-feed.ts'
import { type Document, type DocumentOptions, LEAST_HIDDEN_MS, type Parts, readDocument } from './document.ts'
import { expectedOf, refusalError, withRefusals } from './foreign.ts'
import { type OperationOptions, operationsOf } from './foreign-start.ts'
import { isSeen, lasting, withMark } from './marks.ts'

/** Options of `statusPoll`. `D`: what the document is, as far as you know. It is not checked. */
export interface StatusPollOptions<D = unknown> extends DocumentOptions<D>, OperationOptions {
  /**
   * The first pause between two reads, in ms. It grows by half after each read that shows nothing new, up to `maxPollMs`. `Retry-After`, or
   * `pauseMs` of the document's reader, replaces it.
   * @defaultValue 1000
   */
  pollMs?: number | undefined
  /**
   * The longest pause between two reads, in ms.
   * @defaultValue 10,000
   */
  maxPollMs?: number | undefined
  /**
   * How long the document may show nothing new before the reader gets an event `stale { forMs }`, in ms. A job whose worker died looks like
   * that. It ends nothing: what was slow may go on.
   * @defaultValue none
   */
  staleAfterMs?: number | undefined
}

interface LiveOptions {
  /** Makes what tells, during the pauses, that the document has changed. */
  changes?: (request: OpenRequest, job: string) => ChangeFeed
}

const EPOCH = 'state'
/** The cursor after a job's end. */
const END = 'end'

/** A reader's position: how many changes it has received, and the marks of the last document. */
interface DocumentPosition {
  seq: number
  marks: readonly string[]
}

function documentPositionOf(after: string | undefined): DocumentPosition {
  const [, seq = '0', marks = ''] = /^(\d+)\.?(.*)$/.exec(after ?? '') ?? []
  return { seq: Number(seq), marks: marks.split('.') }
}

/**
 * Follows jobs by a status document that the server has for each of them. `read` says what a document means. Each observed change is one event.
 * `D` is the type of the document that `read` is given: `statusPoll<MyDocument>({ … })`.
 */
export const statusPoll = <D = unknown>(options: StatusPollOptions<D> = {}): Backend => documentBackend(options as StatusPollOptions) // as: the caller says what its documents are

/** The same, with a live stream that tells when the document has changed, where the server has one. */
export function documentBackend(options: StatusPollOptions & LiveOptions): Backend {
  const transport: Transport = {
    name: 'status',
    traits: { polls: 'short' },
    isSupported: () => true,
    open: (request) => ({ frames: withRefusals(request, poll(request, options)) })
  }
  return {
    promises: 'state',
    transports: [transport],
    expected: expectedOf(/^(tail|end|\d+(\.\w+)*)$/),
    async snapshot(request, job) {
      const look = await readDocument(request, job, options, true)
      if (isControl(look)) throw refusalError(`snapshot of job ${job}`, look)
      return snapshotOf(job, look.parts)
    },
    ...operationsOf(options)
  }
}

async function* poll(request: OpenRequest, options: StatusPollOptions & LiveOptions): AsyncGenerator<Batch, void> {
  const over = child(request.signal)
  try {
    yield* reads({ ...request, signal: over.signal }, options)
  } finally {
    over.release()
    over.abort()
  }
}

async function* reads(request: OpenRequest, options: StatusPollOptions & LiveOptions): AsyncGenerator<Batch, void> {
  const { signal } = request
  const [asked] = request.jobs
  if (!asked) return
  const { job, ref, after } = asked
  const { pollMs = 1000, maxPollMs = 10_000, staleAfterMs = Infinity } = options
  let { seq, marks } = documentPositionOf(after)
  let pauseMs = pollMs
  let staleAt = now() + staleAfterMs
  let last: Document | undefined
  const changes = options.changes?.(request, job)
  for (;;) {
    changes?.reading()
    const look: Document | ErrorControl = await readDocument(request, job, options, asked.epoch === undefined && !last, last)
    if (isControl(look)) return yield [look]
    const { parts } = look
    const frames: Frame[] = last
      ? []
      : [
          { control: 'hello', protocol: 1 },
          { control: 'subscribed', job, ref, epoch: EPOCH, seq, cursor: after ?? '0', status: statusOf(parts) }
        ]
    const end = parts.find(({ type }) => isTerminal(type))
    if (end && after === END) return yield [...frames, { control: 'done', job, cursor: END }]
    const time = new Date().toISOString()
    let had = parts.filter(({ mark }) => isSeen(marks, mark)).reduce((all, { mark }) => withMark(all, mark), lasting(marks))
    const news = parts.filter(({ mark }) => !isSeen(had, mark))
    for (const { type, data, mark } of news) {
      seq += 1
      had = withMark(had, mark)
      frames.push({ id: isTerminal(type) ? END : [seq, ...had].join('.'), seq, job, type, time, data })
    }
    const isNews = news.length > 0
    if (isNews) staleAt = now() + staleAfterMs
    else if (now() >= staleAt) {
      staleAt = Infinity // told once
      seq += 1
      frames.push({ id: [seq, ...had].join('.'), seq, job, type: 'stale', time, data: { forMs: staleAfterMs } })
    }
    marks = had
    last = look
    yield frames
    if (end) return
    const changed = changes?.next(isNews)
    pauseMs = isNews ? pollMs : Math.min(maxPollMs, pauseMs * 1.5)
    // A pause that the server asked for ends early only by a change. Any other also ends when the page becomes visible.
    const { pauseMs: leastMs = 0 } = look
    if (leastMs) await delay(leastMs, signal, changed)
    await untilSeen(Math.max(leastMs ? 0 : pauseMs * (0.75 + Math.random() / 2), isHidden() ? LEAST_HIDDEN_MS - leastMs : 0), signal, changed)
  }
}

const statusOf = (parts: Parts): JobStatus => parts.reduce<JobStatus>((status, { type }) => statusAfter(type, status), 'queued')

function snapshotOf(id: string, parts: Parts): JobSnapshot {
  const dataOf = (...types: string[]): unknown => parts.find(({ type }) => types.includes(type))?.data
  const status = statusOf(parts)
  const cursor = isTerminal(status) ? END : ['0', ...parts.reduce<string[]>((all, { mark }) => withMark(all, mark), [])].join('.')
  const progress = dataOf('progress') as JobSnapshot['progress'] // as: what `read` says of it; a ratio is found, or not
  return { id, status, epoch: EPOCH, seq: 0, cursor, ...(progress && { progress }), result: dataOf('succeeded'), error: dataOf('failed', 'cancelled') }
}
