import type { WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { statusAfter } from '../../protocol/status.ts'
import { markOf, withMark, withoutMark } from '../encode.ts'
import type { EventLog, LogPage } from '../log/types.ts'
import { isLogError } from '../log/types.ts'
import { compareIds, type Logged, type Mark, type Wanted } from './to-job-event.ts'

/** A job's log as far as it has been looked at. */
export interface View extends Logged {
  readonly job: string
  epoch: string | undefined
  cursor: string | undefined
  seq: number
  /** An append had no answer: it may be in the log. */
  isUnsure: boolean
  isOver: boolean
  /** When it ended, in ms since 1970. */
  endedAt: number
  /** The log remembers having dropped it. */
  isGone: boolean
}

/**
 * Appends what a log lacks, once, whoever else does the same: each append names the position that it was decided at,
 * and where another one was first, it is decided anew.
 */
export interface Ledger {
  look(job: string): Promise<View>
  /** Where the log has ended: begins it anew, for another run under the same id. */
  restart(view: View): Promise<void>
  append(view: View, decide: (view: View) => Wanted | undefined): Promise<void>
}

const PAGE = 100

const blank = (): Omit<View, 'job'> => ({
  epoch: undefined,
  cursor: undefined,
  seq: 0,
  isUnsure: false,
  isOver: false,
  endedAt: 0,
  isGone: false,
  status: 'queued',
  progress: undefined,
  mark: { entry: '0-0', rows: 0, attempt: 0, failures: 0 }
})

export function createLedger(log: EventLog): Ledger {
  async function readOn(view: View): Promise<void> {
    for (;;) {
      const page = await pageOf(view, view.cursor)
      if (!page) return
      if (view.cursor !== undefined && (page.epoch !== view.epoch || page.seq !== view.seq)) {
        Object.assign(view, blank()) // another log, or one that has dropped what was to be read: from its oldest event
        continue
      }
      view.epoch = page.epoch
      view.seq = page.seq
      view.cursor = page.cursor
      for (const event of page.events) take(view, event)
      if (page.done) view.isOver = true
      view.isUnsure = false
      if (!page.more) return
    }
  }

  async function pageOf(view: View, after: string | undefined): Promise<LogPage | undefined> {
    let isGone = false
    try {
      const page = await log.read(view.job, after, PAGE)
      if (page) return page
    } catch (error) {
      if (!isLogError(error, 'history-gone')) throw error
      isGone = true
    }
    Object.assign(view, blank(), { isGone })
    return undefined
  }

  return {
    async look(job) {
      const view: View = { job, ...blank() }
      await readOn(view)
      return view
    },
    async restart(view) {
      const { epoch } = view
      Object.assign(view, blank())
      await readOn(view)
      if (!view.isOver || view.epoch !== epoch) return // another bridge has begun it meanwhile
      await log.reset(view.job)
      Object.assign(view, blank())
    },
    async append(view, decide) {
      for (;;) {
        if (view.isUnsure) await readOn(view)
        const wanted = view.isOver ? undefined : decide(view)
        if (!wanted) return
        const { type, data, mark } = wanted
        try {
          view.isUnsure = true
          take(view, await log.append(view.job, type, isTerminal(type) ? data : withMark(data, mark), { expectSeq: view.seq }))
          view.isUnsure = false
          return
        } catch (error) {
          if (!isLogError(error, 'conflict') && !isLogError(error, 'ended')) throw error
        }
      }
    }
  }
}

function take(view: View, event: WireEvent): void {
  const { id, seq, type, time } = event
  view.seq = seq
  view.cursor = id
  view.isGone = false
  view.status = statusAfter(type, view.status)
  if (isTerminal(type)) {
    view.isOver = true
    view.endedAt = Date.parse(time)
  }
  const mark = markOf(event)
  if (!isMark(mark)) return
  if (type === 'progress') view.progress = withoutMark(event.data)
  if (compareIds(mark.entry, view.mark.entry) >= 0) view.mark = { ...mark, failures: mark.failures ?? 0 }
}

function isMark(mark: unknown): mark is Mark {
  const { entry, rows, attempt }: Partial<Mark> = Object(mark)
  return typeof entry === 'string' && typeof rows === 'number' && typeof attempt === 'number'
}
