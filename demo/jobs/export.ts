import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { JobContext } from '../../src/server/index.ts'
import type { Pace } from '../jobs.ts'

const ORDERS = 48_000

/** Writes generated orders to a CSV file, one batch per step. The result holds the file's size and SHA-256 digest, the same at each run. */
export async function exportOrders(job: JobContext, { steps, intervalMs }: Pace): Promise<{ orders: number; bytes: number; sha256: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-demo-'))
  try {
    await using file = await open(join(folder, 'orders.csv'), 'w')
    const hash = createHash('sha256')
    let bytes = 0
    // #region export
    for (let step = 1, written = 0; step <= steps; step += 1) {
      const until = Math.floor((step * ORDERS) / steps)
      const rows = csvRows(written, until)
      await file.write(rows)
      hash.update(rows)
      bytes += rows.length
      written = until
      await job.progress({ ratio: written / ORDERS, current: written, total: ORDERS, unit: 'orders', stage: 'exporting' })
      if (isTenth(step, steps)) await job.log(`${written.toLocaleString('en')} orders written`)
      await pause(intervalMs, undefined, { signal: job.signal })
    }
    return { orders: ORDERS, bytes, sha256: hash.digest('hex') }
    // #endregion
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Orders `first` to `until - 1` as CSV. The values follow from the numbers, so that all runs are equal. ASCII only: a character is a byte. */
function csvRows(first: number, until: number): string {
  let rows = ''
  for (let order = first; order < until; order += 1) {
    const amount = ((order * 7919) % 100_000) / 100
    rows += `${order + 1},customer-${(order * 31) % 4999},${amount.toFixed(2)}\n`
  }
  return rows
}

const isTenth = (step: number, steps: number): boolean => Math.floor((step * 10) / steps) > Math.floor(((step - 1) * 10) / steps)
