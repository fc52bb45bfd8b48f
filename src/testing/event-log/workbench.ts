/** What the tests of a log begin with. */

import { expect, onTestFinished } from 'vitest'
import type { EventLog, LogPage } from '../../server/log/types.ts'

/** What the suite needs to know of a log. */
export interface LogUnderTest {
  /** A log of its own, closed by the suite. `maxEvents` per job are retained: at least those, and no more than ten times as many. */
  create(options: { maxEvents: number }): EventLog | Promise<EventLog>
  /** Job ids get this in front, for logs that share a store. */
  prefix?: string
}

export interface Workbench {
  prefix: string
  /** A log, until the test is over. */
  open(maxEvents?: number): Promise<EventLog>
  /** The id of a job that no log has. */
  newId(): string
  /** The whole of a job's log, page by page. */
  readAll(log: EventLog, id: string): Promise<Pick<LogPage, 'events' | 'done' | 'cursor' | 'epoch'> | undefined>
}

/** Events of a page: few, so that there are several. */
const LIMIT = 7

export function createWorkbench({ create, prefix = '' }: LogUnderTest): Workbench {
  let count = 0
  return {
    prefix,
    async open(maxEvents = 100) {
      const log = await create({ maxEvents })
      onTestFinished(() => log.close())
      return log
    },
    newId: () => `${prefix}job ${process.pid}/${Date.now()}/${++count}`,
    async readAll(log, id) {
      const events = []
      for (let cursor: string | undefined; ; ) {
        const page = await log.read(id, cursor, LIMIT)
        if (!page) return undefined
        expect(page.events.length).toBeLessThanOrEqual(LIMIT)
        events.push(...page.events)
        cursor = page.events.at(-1)?.id ?? page.cursor
        if (!page.more) return { events, done: page.done, cursor, epoch: page.epoch }
      }
    }
  }
}
