/** A status document, asked for until it says that the job is over. Promises `state`. */

import { child, delay } from '../async/signals.ts'
import { isHidden, untilSeen } from '../page.ts'
import { type ErrorControl, type Frame, isControl, type JobSnapshot, type JobStatus } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import { statusAfter } from '../protocol/status.ts'
import type { Backend, Batch, OpenRequest, Transport } from '../types.ts'
import { type Document, type DocumentOptions, LEAST_HIDDEN_MS, lookAt, type Parts } from './document.ts'
import { expectedOf, orRefused, refusal } from './foreign.ts'
import { operationsOf, type StartOptions } from './foreign-start.ts'
import { isSeen, lasting, withMark } from './marks.ts'
import type { Alarm } from './wake.ts'

export interface StatusPollOptions extends DocumentOptions, StartOptions {
  /**
   * The pause between two looks, in ms, where neither `Retry-After` nor the document names one: from `pollMs`, half as much again after each look that
   * shows nothing new, up to `maxPollMs`.
   * @defaultValue 1000
   */
  pollMs?: number | undefined
  /** @defaultValue 10,000 */
  maxPollMs?: number | undefined
}

interface Lively {
  /** Tells, beside the pauses, that there is something to be looked at. */
  alarm?: (request: OpenRequest, job: string) => Alarm
}

const EPOCH = 'state'
/** The cursor behind a job's end. */
const END = 'end'

/** Where a reader is: how many changes it has had, and the marks of what it saw last. */
interface Place {
  seq: number
  marks: readonly string[]
}

function placeOf(after: string | undefined): Place {
  const [, seq = '0', marks = ''] = /^(\d+)\.?(.*)$/.exec(after ?? '') ?? []
  return { seq: Number(seq), marks: marks.split('.') }
}

/** Follows a job by its status document, however a server words it: `read` says what it means. */
export const statusPoll = (options: StatusPollOptions = {}): Backend => documentBackend(options)

/** The same, with a stream beside it, where the server has one. */
export function documentBackend(options: StatusPollOptions & Lively): Backend {
  const transport: Transport = {
    name: 'status',
    traits: { polls: 'short' },
    isSupported: () => true,
    open: (request) => ({ frames: orRefused(request, poll(request, options)) })
  }
  return {
    promises: 'state',
    transports: [transport],
    expected: expectedOf(/^(tail|end|\d+(\.\w+)*)$/),
    async snapshot(request, job) {
      const look = await lookAt(request, job, options, true)
      if (isControl(look)) throw refusal(`snapshot of job ${job}`, look)
      return snapshotOf(job, look.parts)
    },
    ...operationsOf(options)
  }
}

async function* poll(request: OpenRequest, options: StatusPollOptions & Lively): AsyncGenerator<Batch, void> {
  const over = child(request.signal)
  try {
    yield* looks({ ...request, signal: over.signal }, options)
  } finally {
    over.release()
    over.abort()
  }
}

async function* looks(request: OpenRequest, options: StatusPollOptions & Lively): AsyncGenerator<Batch, void> {
  const { signal } = request
  const [asked] = request.jobs
  if (!asked) return
  const { job, ref, after } = asked
  const { pollMs = 1000, maxPollMs = 10_000 } = options
  let { seq, marks } = placeOf(after)
  let pauseMs = pollMs
  let last: Document | undefined
  const alarm = options.alarm?.(request, job)
  for (;;) {
    alarm?.looking()
    const look: Document | ErrorControl = await lookAt(request, job, options, asked.epoch === undefined && !last, last)
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
    marks = had
    last = look
    yield frames
    if (end) return
    const woken = alarm?.next(news.length > 0)
    pauseMs = news.length > 0 ? pollMs : Math.min(maxPollMs, pauseMs * 1.5)
    // What the server asks for is kept to; a page that is seen again is told at once.
    if (look.pauseMs !== undefined) await delay(look.pauseMs, signal, woken)
    else await untilSeen(Math.max(pauseMs * (0.75 + Math.random() / 2), isHidden() ? LEAST_HIDDEN_MS : 0), signal, woken)
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
