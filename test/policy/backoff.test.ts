import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs, patienceMs } from '../../src/policy/backoff.ts'

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

describe('patience', () => {
  test.each([
    [0, 5000],
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [4, 60_000],
    [1000, 60_000],
    [Infinity, 60_000]
  ])('after %d fruitless races is %d ms', (failures, ms) => {
    expect(patienceMs(failures, 5000, undefined)).toBe(ms)
  })

  test('starts from twice what was needed before, and a second', () => {
    expect(patienceMs(0, 5000, 6000)).toBe(13_000)
    expect(patienceMs(1, 5000, 6000)).toBe(13_000)
    expect(patienceMs(2, 5000, 6000)).toBe(20_000)
    expect(patienceMs(0, 5000, 20)).toBe(5000)
    expect(patienceMs(0, 5000, 50_000)).toBe(60_000)
  })

  test('is what the option says where that is more than a minute', () => {
    expect(patienceMs(0, 90_000, undefined)).toBe(90_000)
    expect(patienceMs(3, 90_000, 6000)).toBe(90_000)
  })

  test('is never less than the option, never more than that or a minute, and never shrinks with another failure', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 10_000 }),
        fc.integer({ min: 1, max: 200_000 }),
        fc.option(fc.nat({ max: 200_000 }), { nil: undefined }),
        (failures, ms, latency) => {
          const patience = patienceMs(failures, ms, latency)
          expect(patience).toBeGreaterThanOrEqual(ms)
          expect(patience).toBeLessThanOrEqual(Math.max(ms, 60_000))
          expect(patienceMs(failures + 1, ms, latency)).toBeGreaterThanOrEqual(patience)
        }
      ),
      { numRuns: 3000 }
    )
  })
})
