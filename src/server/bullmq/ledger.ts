import type { WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { statusAfter } from '../../protocol/status.ts'
import { markOf, withMark, withoutMark } from '../encode.ts'
import type { EventLog, LogPage } from '../log/types.ts'
import { isLogError } from '../log/types.ts'
import { compareIds, type LoggedState, type Mark, type PlannedEvent } from './to-job-event.ts'

/** What this bridge knows of a job's log. */
export interface LogView extends LoggedState {
  readonly job: string
  epoch: string | undefined
  cursor: string | undefined
  seq: number
  /** An append got no answer: its event may be in the log. */
  isUncertain: boolean
  /** The log has a terminal event. */
  hasEnded: boolean
  /** The time of the terminal event, in ms since 1970. */
  endedAt: number
  /** The log remembers having dropped the job (`history-gone`). */
  isGone: boolean
}

/** Appends to job logs exactly once, also beside other bridges: by optimistic concurrency (`expectSeq`). */
export interface Ledger {
  /** Reads a job's log from its beginning. */
  open(job: string): Promise<LogView>
  /** Deletes an ended log, for another run of a job under the same id. Only reads it, where another bridge has done so already. */
  restart(view: LogView): Promise<void>
  /** Appends the event that `decide` returns for the log's state. Where the log has moved on, reads it and decides anew. `undefined` appends nothing. */
  append(view: LogView, decide: (view: LogView) => PlannedEvent | undefined): Promise<void>
}

const PAGE = 100

const emptyView = (): Omit<LogView, 'job'> => ({
  epoch: undefined,
  cursor: undefined,
  seq: 0,
  isUncertain: false,
  hasEnded: false,
  endedAt: 0,
  isGone: false,
  status: 'queued',
  progress: undefined,
  mark: { entry: '0-0', rows: 0, attempt: 0, failures: 0 }
})

export function createLedger(log: EventLog): Ledger {
  async function readOn(view: LogView): Promise<void> {
    for (;;) {
      const page = await pageOf(view, view.cursor)
      if (!page) return
      if (view.cursor !== undefined && (page.epoch !== view.epoch || page.seq !== view.seq)) {
        Object.assign(view, emptyView()) // the log was replaced, or trimmed beyond the cursor: read again from its oldest event
        continue
      }
      view.epoch = page.epoch
      view.seq = page.seq
      view.cursor = page.cursor
      for (const event of page.events) applyEvent(view, event)
      if (page.done) view.hasEnded = true
      view.isUncertain = false
      if (!page.more) return
    }
  }

  async function pageOf(view: LogView, after: string | undefined): Promise<LogPage | undefined> {
    let isGone = false
    try {
      const page = await log.read(view.job, after, PAGE)
      if (page) return page
    } catch (error) {
      if (!isLogError(error, 'history-gone')) throw error
      isGone = true
    }
    Object.assign(view, emptyView(), { isGone })
    return undefined
  }

  return {
    async open(job) {
      const view: LogView = { job, ...emptyView() }
      await readOn(view)
      return view
    },
    async restart(view) {
      const { epoch } = view
      Object.assign(view, emptyView())
      await readOn(view)
      if (!view.hasEnded || view.epoch !== epoch) return // another bridge has restarted it
      await log.reset(view.job)
      Object.assign(view, emptyView())
    },
    async append(view, decide) {
      for (;;) {
        if (view.isUncertain) await readOn(view)
        const wanted = view.hasEnded ? undefined : decide(view)
        if (!wanted) return
        const { type, data, mark } = wanted
        try {
          view.isUncertain = true
          applyEvent(view, await log.append(view.job, type, isTerminal(type) ? data : withMark(data, mark), { expectSeq: view.seq }))
          view.isUncertain = false
          return
        } catch (error) {
          if (!isLogError(error, 'conflict') && !isLogError(error, 'ended')) throw error
        }
      }
    }
  }
}

function applyEvent(view: LogView, event: WireEvent): void {
  const { id, seq, type, time } = event
  view.seq = seq
  view.cursor = id
  view.isGone = false
  view.status = statusAfter(type, view.status)
  if (isTerminal(type)) {
    view.hasEnded = true
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
