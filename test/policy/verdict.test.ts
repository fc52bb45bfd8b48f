import { describe, expect, test } from 'vitest'
import { type Verdict, verdict } from '../../src/policy/verdict.ts'

/** PROTOCOL.md §7 for a job asked for without a cursor, and with one. */
const table: readonly { status: number; without: Verdict; withCursor?: Verdict }[] = [
  { status: 400, without: { do: 'throw', code: 'bad-request' } },
  { status: 401, without: { do: 'reauthorize' } },
  { status: 403, without: { do: 'throw', code: 'forbidden' } },
  { status: 404, without: { do: 'ask-again' }, withCursor: { do: 'throw', code: 'history-gone' } },
  { status: 408, without: { do: 'wait' } },
  { status: 410, without: { do: 'throw', code: 'history-gone' } },
  { status: 418, without: { do: 'throw', code: 'bad-request' } },
  { status: 422, without: { do: 'throw', code: 'bad-request' } },
  { status: 429, without: { do: 'wait' } },
  { status: 500, without: { do: 'wait' } },
  { status: 503, without: { do: 'wait' } },
  { status: 504, without: { do: 'wait' } }
]

describe('verdict', () => {
  test.each(table)('of $status', ({ status, without, withCursor = without }) => {
    expect(verdict(status, false)).toEqual(without)
    expect(verdict(status, true)).toEqual(withCursor)
  })
})
