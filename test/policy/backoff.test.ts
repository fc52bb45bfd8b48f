import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../src/policy/backoff.ts'

const retry = { baseMs: 250, maxMs: 30_000, attempts: Infinity }
const most = (): number => 1

describe('backoff', () => {
  test.each([
    [0, 250],
    [1, 500],
    [2, 1000],
    [6, 16_000],
    [7, 30_000],
    [1000, 30_000]
  ])('after %d doublings waits up to %d ms', (failures, ms) => {
    expect(backoffMs(failures, retry, most)).toBe(ms)
  })

  test('is full jitter: chance alone says how much of it', () => {
    expect(backoffMs(2, retry, () => 0)).toBe(0)
    expect(backoffMs(2, retry, () => 0.25)).toBe(250)
  })

  test('stays within its bounds, and its bound never shrinks', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        (failures, chance, baseMs, maxMs) => {
          const options = { baseMs, maxMs, attempts: Infinity }
          const ms = backoffMs(failures, options, () => chance)
          expect(ms).toBeGreaterThanOrEqual(0)
          expect(ms).toBeLessThanOrEqual(maxMs)
          expect(backoffMs(failures + 1, options, most)).toBeGreaterThanOrEqual(backoffMs(failures, options, most))
        }
      ),
      { numRuns: 3000 }
    )
  })
})
