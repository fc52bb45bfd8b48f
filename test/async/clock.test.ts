import { expect, test, vi } from 'vitest'
import { callSafely } from '../../src/async/callback.ts'
import { macrotask, now } from '../../src/async/clock.ts'

test('now is near the wall clock, and does not go with it where that jumps', () => {
  expect(Math.abs(now() - Date.now())).toBeLessThan(60_000)
  const before = now()
  const jumped = vi.spyOn(Date, 'now').mockReturnValue(0)
  expect(now()).toBeGreaterThanOrEqual(before)
  jumped.mockRestore()
})

test('a macrotask comes after all microtasks, however many', async () => {
  const order: string[] = []
  const task = macrotask().then(() => order.push('task'))
  await (async () => {
    for (let count = 0; count < 100; count += 1) await undefined
    order.push('microtasks')
  })()
  await task
  expect(order).toEqual(['microtasks', 'task'])
})

test('a callback that throws is shown, and stops nothing', () => {
  const shown = vi.spyOn(console, 'error').mockImplementation(() => {})
  const thrown = new Error('oh')
  const callback = vi.fn((_: number, __: string) => {
    throw thrown
  })
  expect(() => callSafely(callback, 1, 'a')).not.toThrow()
  expect(callback).toHaveBeenCalledExactlyOnceWith(1, 'a')
  expect(shown).toHaveBeenCalledExactlyOnceWith('jobtail: a callback threw', thrown)
  shown.mockRestore()
})
