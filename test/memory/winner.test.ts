import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { now } from '../../src/async/clock.ts'
import { recallWinner, rememberWinner, type Winner } from '../../src/memory/winner.ts'
import type { Memory } from '../../src/types.ts'

const HOUR_MS = 3_600_000
const neverAborted = new AbortController().signal

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const memory = (read: () => unknown): Memory => ({ read: async () => read(), write: async () => {} })
const recall = (value: unknown): Promise<Winner | undefined> =>
  recallWinner(
    memory(() => value),
    'https://api.example.com/jobs',
    neverAborted
  )

describe('recalled', () => {
  const winner = (agoMs: number): Winner => ({ transport: 'sse', latencyMs: 40, at: now() - agoMs, records: {} })

  test('is what was remembered, under the same key', async () => {
    const stored = new Map<string, unknown>()
    const one: Memory = {
      read: async (key) => stored.get(key),
      async write(key, value) {
        stored.set(key, value)
      }
    }
    const remembered = winner(0)
    await rememberWinner(one, 'a', remembered)
    expect(await recallWinner(one, 'a', neverAborted)).toEqual(remembered)
    expect(await recallWinner(one, 'b', neverAborted)).toBeUndefined()
  })

  test.each([
    ['just now', 0, true],
    ['an hour ago', HOUR_MS, true],
    ['almost a day ago', 24 * HOUR_MS - 1, true],
    ['a day ago', 24 * HOUR_MS, false],
    ['in the future', -1000, false]
  ])('if it won %s', async (_, agoMs, isRecalled) => {
    const remembered = winner(agoMs)
    expect(await recall(remembered)).toEqual(isRecalled ? remembered : undefined)
  })

  test.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['null', () => null],
    ['a number', () => 7],
    ['a string', () => 'sse'],
    ['an empty object', () => ({})],
    ['a list', () => [{ ...winner(0) }]],
    ['a transport that is no name', () => ({ ...winner(0), transport: { name: 'sse' } })],
    ['no latency', () => ({ ...winner(0), latencyMs: undefined })],
    ['a latency that is no number', () => ({ ...winner(0), latencyMs: '40' })],
    ['a latency before its time', () => ({ ...winner(0), latencyMs: -1 })],
    ['a latency of hours', () => ({ ...winner(0), latencyMs: HOUR_MS + 1 })],
    ['a latency that is none', () => ({ ...winner(0), latencyMs: Number.NaN })],
    ['a latency without end', () => ({ ...winner(0), latencyMs: Infinity })],
    ['a time that is no number', () => ({ ...winner(0), at: new Date() })],
    ['a time that is none', () => ({ ...winner(0), at: Number.NaN })],
    [
      'something that throws when it is looked at',
      () => ({
        get transport() {
          throw new Error('poisoned')
        }
      })
    ]
  ])('but not where it is %s', async (_, make) => {
    expect(await recall(make())).toBeUndefined()
  })
})

describe('a memory that fails', () => {
  test('by rejecting is as if there were nothing', async () => {
    const failing = memory(() => {
      throw new Error('no storage')
    })
    expect(await recallWinner(failing, 'a', neverAborted)).toBeUndefined()
  })

  test('by throwing is as if there were nothing', async () => {
    const throwing: Memory = {
      read() {
        throw new Error('no storage')
      },
      write() {
        throw new Error('no storage')
      }
    }
    expect(await recallWinner(throwing, 'a', neverAborted)).toBeUndefined()
    await expect(rememberWinner(throwing, 'a', { transport: 'sse', latencyMs: 1, at: now(), records: {} })).resolves.toBeUndefined()
  })

  test('to write is nobody’s concern', async () => {
    const write = vi.fn(() => Promise.reject(new Error('quota')))
    await rememberWinner({ ...memory(() => undefined), write }, 'a', { transport: 'sse', latencyMs: 1, at: now(), records: {} })
    expect(write).toHaveBeenCalledOnce()
  })

  test('to answer is waited for 50 ms, no longer', async () => {
    const recalled = vi.fn()
    const hanging = memory(() => new Promise(() => {}))
    void recallWinner(hanging, 'a', neverAborted).then(recalled)
    await vi.advanceTimersByTimeAsync(49)
    expect(recalled).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(recalled).toHaveBeenCalledWith(undefined)
  })

  test('to answer in time is too late', async () => {
    const slow = Promise.withResolvers<Winner>()
    const recalled = recallWinner(
      memory(() => slow.promise),
      'a',
      neverAborted
    )
    await vi.advanceTimersByTimeAsync(50)
    slow.resolve({ transport: 'sse', latencyMs: 1, at: now(), records: {} })
    expect(await recalled).toBeUndefined()
  })
})
