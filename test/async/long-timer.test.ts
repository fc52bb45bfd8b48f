import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { clampMs, MAX_TIMER_MS } from '../../src/async/bounds.ts'
import { now } from '../../src/async/clock.ts'
import { createLongTimer } from '../../src/async/long-timer.ts'
import { delay, withTimeout } from '../../src/async/signals.ts'

/** Browsers and Node fire a timer of more than 2³¹ − 1 ms after 1 ms, and so do these fake timers. */
const DAYS_MS = 24 * 3_600_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test('the timers of these tests overflow as real ones do', () => {
  const early = vi.fn()
  setTimeout(early, MAX_TIMER_MS + 1)
  vi.advanceTimersByTime(1)
  expect(early).toHaveBeenCalledOnce()
})

test.each([
  [0, 0],
  [250, 250],
  [0.5, 0.5],
  [-1, 0],
  [-Infinity, 0],
  [NaN, 0],
  [2 ** 31 - 1, 2 ** 31 - 1],
  [2 ** 31, 2 ** 31 - 1],
  [Number.MAX_SAFE_INTEGER, 2 ** 31 - 1],
  [Infinity, 2 ** 31 - 1]
])('a time to wait of %d ms is clampMs to %d', (ms, expected) => expect(clampMs(ms)).toBe(expected))

describe('an alarm', () => {
  const alarmed = () => {
    const rang = vi.fn()
    return { rang, alarm: createLongTimer(rang) }
  }

  test('rings once, at its time', () => {
    const { rang, alarm } = alarmed()
    alarm.set(now() + 250)
    vi.advanceTimersByTime(249)
    expect(rang).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(rang).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(DAYS_MS)
    expect(rang).toHaveBeenCalledOnce()
  })

  test('set anew rings at that time alone, earlier or later', () => {
    const { rang, alarm } = alarmed()
    alarm.set(now() + 250)
    alarm.set(now() + 1000)
    vi.advanceTimersByTime(999)
    expect(rang).not.toHaveBeenCalled()
    alarm.set(now())
    vi.advanceTimersByTime(0)
    expect(rang).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('set to the same time has one timer, and keeps it', () => {
    const { alarm } = alarmed()
    const set = vi.spyOn(globalThis, 'setTimeout')
    const at = now() + 250
    alarm.set(at)
    alarm.set(at)
    expect(set).toHaveBeenCalledOnce()
    alarm.set(Infinity)
  })

  test('set to a time that is over rings in the next task, and asks Node for no negative time, of which that warns', () => {
    const { rang, alarm } = alarmed()
    const set = vi.spyOn(globalThis, 'setTimeout')
    alarm.set(now() - 5000)
    expect(set).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 0)
    expect(rang).not.toHaveBeenCalled()
    vi.advanceTimersByTime(0)
    expect(rang).toHaveBeenCalledOnce()
  })

  test('set to never rings never, and leaves nothing', () => {
    const { rang, alarm } = alarmed()
    alarm.set(now() + 250)
    alarm.set(Infinity)
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(1000)
    expect(rang).not.toHaveBeenCalled()
  })

  test('can be set to the same time again once it has rung', () => {
    const { rang, alarm } = alarmed()
    const at = now() - 1
    alarm.set(at)
    vi.advanceTimersByTime(0)
    alarm.set(at)
    vi.advanceTimersByTime(0)
    expect(rang).toHaveBeenCalledTimes(2)
  })

  test('can be set as it rings', () => {
    let rings = 0
    const alarm = createLongTimer(() => {
      rings += 1
      alarm.set(rings < 3 ? now() + 100 : Infinity)
    })
    alarm.set(now() + 100)
    vi.advanceTimersByTime(1000)
    expect(rings).toBe(3)
  })

  test('for thirty days rings in thirty days, after one timer more', () => {
    const { rang, alarm } = alarmed()
    const set = vi.spyOn(globalThis, 'setTimeout')
    alarm.set(now() + 30 * DAYS_MS)
    vi.advanceTimersByTime(30 * DAYS_MS - 1)
    expect(rang).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(rang).toHaveBeenCalledOnce()
    expect(set).toHaveBeenCalledTimes(2)
  })

  test('whose timer comes early waits for the rest', () => {
    const { rang, alarm } = alarmed()
    alarm.set(now() + 1000)
    const clock = performance.now.bind(performance)
    const slow = vi.spyOn(performance, 'now').mockImplementation(() => clock() - 300)
    vi.advanceTimersByTime(1000)
    expect(rang).not.toHaveBeenCalled()
    slow.mockRestore()
    vi.advanceTimersByTime(300)
    expect(rang).toHaveBeenCalledOnce()
  })
})

const { signal } = new AbortController()

describe('a pause', () => {
  test.each([2 ** 31, 30 * DAYS_MS, Infinity])('of %d ms lasts as long as a timer can', async (ms) => {
    const passed = vi.fn()
    void delay(ms, signal).then(passed)
    await vi.advanceTimersByTimeAsync(2 ** 31 - 2)
    expect(passed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(passed).toHaveBeenCalledOnce()
  })

  test('can be cut short', async () => {
    const woken = Promise.withResolvers<void>()
    const pause = delay(5000, signal, woken.promise)
    woken.resolve()
    await expect(pause).resolves.toBeUndefined()
  })
})

describe('within a time', () => {
  const late = (): Error => new Error('too late')

  test('is what comes in time; nothing is left of the limit', async () => {
    await expect(withTimeout(async () => 'there', 1000, signal, late)).resolves.toBe('there')
    await expect(withTimeout(() => Promise.reject(new Error('no')), 1000, signal, late)).rejects.toThrow('no')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is what is made of a lateness, which ends what was begun', async () => {
    let begun = signal
    const never = (its: AbortSignal): Promise<void> => {
      begun = its
      return new Promise(() => {})
    }
    const outcome = expect(withTimeout(never, 1000, signal, late)).rejects.toThrow('too late')
    await vi.advanceTimersByTimeAsync(999)
    expect(vi.getTimerCount()).toBe(1)
    expect(begun.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await outcome
    expect(begun.reason).toMatchObject({ message: 'too late' })
  })

  test.each([2 ** 31, 30 * DAYS_MS, Infinity])('of %d ms nothing is late at once', async (ms) => {
    const there = Promise.withResolvers<string>()
    const outcome = expect(withTimeout(() => there.promise, ms, signal, late)).resolves.toBe('there')
    await vi.advanceTimersByTimeAsync(60_000)
    there.resolve('there')
    await outcome
  })

  test('is the reason of an abort that comes first, before or after it began', async () => {
    const controller = new AbortController()
    const outcome = expect(withTimeout(() => new Promise(() => {}), 1000, controller.signal, late)).rejects.toThrow('enough')
    controller.abort(new Error('enough'))
    await outcome
    await expect(withTimeout(async () => {}, 1000, controller.signal, late)).rejects.toThrow('enough')
  })
})
