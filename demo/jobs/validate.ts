import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type JobContext, JobError } from '../../src/server/index.ts'
import type { Pace } from '../jobs.ts'

const ROWS = 40_000

/** Checks the IBANs of a generated data set by ISO 7064, and fails at the row that is wrong. */
export async function validateRows(job: JobContext, { steps, intervalMs }: Pace): Promise<never> {
  const rows = generateRows()
  await job.log(`checking ${ROWS} account numbers`)
  const perStep = Math.ceil(ROWS / steps)
  for (let first = 0; first < ROWS; first += perStep) {
    const wrong = rows.slice(first, first + perStep).findIndex((iban) => remainder(iban) !== 1)
    if (wrong >= 0) {
      const iban = rows[first + wrong] ?? ''
      await job.log(`row ${first + wrong + 1} does not add up`, 'error')
      throw new JobError(
        'invalid-row',
        `row ${first + wrong + 1}: the check digits of ${iban} are ${iban.slice(2, 4)}, they should be ${checkDigits(iban.slice(4))}`
      )
    }
    const checked = Math.min(first + perStep, ROWS)
    await job.progress({ ratio: checked / ROWS, current: checked, total: ROWS, unit: 'rows', stage: 'validating' })
    if (Math.floor((checked * 10) / ROWS) > Math.floor((first * 10) / ROWS)) await job.log(`${checked} rows are fine`)
    await pause(intervalMs, undefined, { signal: job.signal })
  }
  throw new Error('the generated data set has a wrong row, and it was not found')
}

/** German IBANs with valid check digits, except for one row between 65 % and 75 %. */
function generateRows(): string[] {
  const rows = Array.from({ length: ROWS }, (_, index) => {
    const account = String(1_000_000_000_000_000 + index * 7_919_000_017).padStart(18, '5')
    return `DE${checkDigits(account)}${account}`
  })
  const at = randomInt(Math.floor(ROWS * 0.65), Math.floor(ROWS * 0.75))
  rows[at] = (rows[at] ?? '').replace(/.$/, (digit) => String((Number(digit) + 1) % 10))
  return rows
}

const remainder = (iban: string): number => Number(BigInt(`${iban.slice(4)}1314${iban.slice(2, 4)}`) % 97n)

const checkDigits = (account: string): string => String(98n - (BigInt(`${account}131400`) % 97n)).padStart(2, '0')
