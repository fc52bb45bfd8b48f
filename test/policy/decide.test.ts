import { describe, expect, test } from 'vitest'
import { type Decision, decide } from '../../src/policy/decide.ts'

/** The table of PROTOCOL.md §7 without 401, for a job requested without a cursor, and with one. */
const table: readonly { status: number; without: Decision; withCursor?: Decision }[] = [
  { status: 400, without: 'bad-request' },
  { status: 403, without: 'forbidden' },
  { status: 404, without: 'unknown-job', withCursor: 'history-gone' },
  { status: 408, without: 'wait' },
  { status: 410, without: 'history-gone' },
  { status: 418, without: 'bad-request' },
  { status: 422, without: 'bad-request' },
  { status: 429, without: 'wait' },
  { status: 500, without: 'wait' },
  { status: 503, without: 'wait' },
  { status: 504, without: 'wait' }
]

describe('decide', () => {
  test.each(table)('of $status', ({ status, without, withCursor = without }) => {
    expect(decide(status, false)).toBe(without)
    expect(decide(status, true)).toBe(withCursor)
  })
})
