/** The smaller parts of the panel that know no DOM. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createRate } from '../../src/devtools/rate.ts'
import { VERSION } from '../../src/devtools/report.ts'
import { createRing } from '../../src/devtools/ring.ts'

test('a ring has the latest, by their numbers', () => {
  const ring = createRing<string>(3)
  expect(ring.since(0)).toEqual([])
  for (const item of ['a', 'b']) ring.push(item)
  expect([ring.since(0), ring.since(1), ring.since(2)]).toEqual([['a', 'b'], ['b'], []])
  for (const item of ['c', 'd', 'e']) ring.push(item)
  expect([ring.total, ring.since(0), ring.since(4)]).toEqual([5, ['c', 'd', 'e'], ['e']])
})

test('a rate counts whole seconds, and is back to 0 after a silence', () => {
  const rate = createRate()
  expect(rate.perSecond(5000)).toBe(0)
  for (let at = 10_000; at < 14_000; at += 10) rate.add(at)
  expect(rate.perSecond(14_000)).toBe(100)
  expect(rate.perSecond(14_999)).toBe(100)
  expect(rate.perSecond(15_500)).toBeCloseTo(200 / 3)
  expect(rate.perSecond(17_000)).toBe(0)
  expect(rate.perSecond(1e12)).toBe(0)
})

test("the report's version is that of the package", () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(VERSION).toBe(version)
})
