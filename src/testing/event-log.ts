import { describe } from 'vitest'
import { describeAppends } from './event-log/append.ts'
import { describeLeases } from './event-log/lease.ts'
import { describeNames } from './event-log/names.ts'
import { describePages } from './event-log/read.ts'
import { describeReruns } from './event-log/rerun.ts'
import { describeSnapshots } from './event-log/snapshot.ts'
import { describeWatches } from './event-log/watch.ts'
import { createWorkbench, type LogUnderTest } from './event-log/workbench.ts'

export type { LogUnderTest } from './event-log/workbench.ts'

/**
 * Describes in Vitest what every `EventLog` promises: appends, idempotency, leases, reruns, pages and retention, snapshots, wake-ups. Logs without `adopt` or
 * `appendMany` skip the tests of these.
 */
export function describeEventLog(name: string, log: LogUnderTest): void {
  const workbench = createWorkbench(log)
  describe(`event log: ${name}`, () => {
    describeAppends(workbench)
    describeNames(workbench)
    describeLeases(workbench)
    describeReruns(workbench)
    describePages(workbench)
    describeSnapshots(workbench)
    describeWatches(workbench)
  })
}
