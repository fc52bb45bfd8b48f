/** The set-up of the tests of a log. */

import { expect, onTestFinished } from 'vitest'
import type { EventLog, LogPage } from '../../server/log/types.ts'

/** The log that `describeEventLog` tests. */
export interface LogUnderTest {
  /** Makes a log. The suite closes it. It has to retain at least `maxEvents` events of each job, and at most ten times as many. */
  create(options: { maxEvents: number }): EventLog | Promise<EventLog>
  /**
   * The prefix of all job ids, for a store that others use too.
   *
   * @defaultValue `''`
   */
  prefix?: string
}

export interface Workbench {
  prefix: string
  /** Makes a log, and closes it at the end of the test. */
  open(maxEvents?: number): Promise<EventLog>
  /** The id of a job that no log has. */
  newId(): string
  /** Reads a job's whole log, page by page. */
  readAll(log: EventLog, id: string): Promise<Pick<LogPage, 'events' | 'done' | 'cursor' | 'epoch'> | undefined>
}

/** Events per page: few, so that a log has several pages. */
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
