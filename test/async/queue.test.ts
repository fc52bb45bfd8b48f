import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createQueue, type Queue } from '../../src/async/queue.ts'

const value = <T>(of: T) => ({ done: false, value: of })
const end = { done: true, value: undefined }

describe('values', () => {
  test('come in the order of their pushing, before and after they are asked for', async () => {
    const queue = createQueue<number>()
    queue.push(1)
    queue.push(2)
    expect(await queue.next()).toEqual(value(1))
    expect(await queue.next()).toEqual(value(2))
    const [third, fourth] = [queue.next(), queue.next()]
    queue.push(3)
    queue.push(4)
    expect(await Promise.all([third, fourth])).toEqual([value(3), value(4)])
  })

  test('may be undefined, null or false', async () => {
    const queue = createQueue<undefined | null | false>()
    for (const each of [undefined, null, false] as const) queue.push(each)
    queue.end()
    expect(await queue.next()).toEqual(value(undefined))
    expect(await queue.next()).toEqual(value(null))
    expect(await queue.next()).toEqual(value(false))
    expect(await queue.next()).toEqual(end)
  })

  test('are counted and weighed while they are held', async () => {
    const queue = createQueue<string>((text) => text.length)
    expect([queue.length, queue.weight]).toEqual([0, 0])
    queue.push('abc')
    queue.push('de')
    expect([queue.length, queue.weight]).toEqual([2, 5])
    await queue.next()
    expect([queue.length, queue.weight]).toEqual([1, 2])
    await queue.next()
    expect([queue.length, queue.weight]).toEqual([0, 0])
  })

  test('that somebody waits for are never held', async () => {
    const queue = createQueue<string>((text) => text.length)
    const waiting = queue.next()
    queue.push('abc')
    expect([queue.length, queue.weight]).toEqual([0, 0])
    expect(await waiting).toEqual(value('abc'))
  })

  test('are let go of as they are taken, while others are still held', async () => {
    setFlagsFromString('--expose-gc')
    const gc: () => void = runInNewContext('gc')
    const queue = createQueue<object>()
    const taken = new WeakRef({})
    const held = {}
    await (async () => {
      queue.push(taken.deref() ?? held)
      queue.push(held)
      await queue.next()
    })()
    await vi.waitFor(() => {
      gc()
      expect(taken.deref() === undefined).toBe(true) // `expect(object)` would keep a reference to it
    })
    expect(queue.length).toBe(1)
  })
})

describe('the end', () => {
  test('comes after what is queued, and stays', async () => {
    const queue = createQueue<number>()
    queue.push(1)
    queue.end()
    expect(await queue.next()).toEqual(value(1))
    expect(await queue.next()).toEqual(end)
    expect(await queue.next()).toEqual(end)
  })

  test('settles everybody who waits', async () => {
    const queue = createQueue<number>()
    const waiting = [queue.next(), queue.next()]
    queue.end()
    expect(await Promise.all(waiting)).toEqual([end, end])
  })

  test('is final: later pushes, ends and errors are ignored', async () => {
    const queue = createQueue<number>()
    queue.end()
    queue.push(1)
    queue.end(new Error('late'))
    expect([queue.length, queue.weight]).toEqual([0, 0])
    expect(await queue.next()).toEqual(end)
  })
})

describe('an error', () => {
  const error = new Error('cut')

  test('comes after what is queued, once, then the end', async () => {
    const queue = createQueue<number>()
    queue.push(1)
    queue.end(error)
    expect(await queue.next()).toEqual(value(1))
    await expect(queue.next()).rejects.toBe(error)
    expect(await queue.next()).toEqual(end)
  })

  test('goes to the first of those who wait, the end to the others', async () => {
    const queue = createQueue<number>()
    const waiting = [queue.next(), queue.next()]
    queue.end(error)
    expect(await Promise.allSettled(waiting)).toEqual([
      { status: 'rejected', reason: error },
      { status: 'fulfilled', value: end }
    ])
  })

  test('that nobody asks for is no unhandled rejection', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    createQueue<number>().end(error)
    // Node reports unhandled rejections once the microtasks are done. This rejection proves that it would have reported one.
    const witness = new Error('witness')
    Promise.reject(witness)
    await vi.waitFor(() => expect(unhandled).toHaveBeenCalled())
    process.off('unhandledRejection', unhandled)
    expect(unhandled.mock.calls.map(([reason]) => reason)).toEqual([witness])
  })

  test.each([null, 0, '', false])('may be %j', async (reason) => {
    const queue = createQueue<number>()
    queue.end(reason)
    await expect(queue.next()).rejects.toBe(reason)
  })
})

describe('any schedule', () => {
  type Act = { push: number } | 'next' | 'end' | 'fail'
  const act: fc.Arbitrary<Act> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ push: fc.integer({ min: 0, max: 9 }) }) },
    { weight: 8, arbitrary: fc.constant('next' as const) },
    { weight: 1, arbitrary: fc.constantFrom('end' as const, 'fail' as const) }
  )

  /** What a queue promises, as a model in its simplest form. */
  function model() {
    const held: number[] = []
    const waiting: number[] = []
    const settled: unknown[] = []
    let ended = false
    let error: unknown
    const settleByEnd = (index: number) => {
      settled[index] = error === undefined ? end : { error }
      error = undefined
    }
    return {
      settled,
      held,
      do(act: Act) {
        if (act === 'next') {
          const index = settled.push('pending') - 1
          const [first] = held
          if (first !== undefined) {
            settled[index] = value(first)
            held.shift()
          } else if (ended) settleByEnd(index)
          else waiting.push(index)
        } else if (ended) return
        else if (act === 'end' || act === 'fail') {
          ended = true
          if (act === 'fail') error = 'cut'
          for (const index of waiting.splice(0)) settleByEnd(index)
        } else {
          const index = waiting.shift()
          if (index === undefined) held.push(act.push)
          else settled[index] = value(act.push)
        }
      }
    }
  }

  function doOn(queue: Queue<number>, act: Act, settled: unknown[]): void {
    if (act === 'next') {
      const index = settled.push('pending') - 1
      queue.next().then(
        (result) => {
          settled[index] = result
        },
        (error) => {
          settled[index] = { error }
        }
      )
    } else if (act === 'end') queue.end()
    else if (act === 'fail') queue.end('cut')
    else queue.push(act.push)
  }

  test('settles exactly as the model does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
        const queue = createQueue<number>((weight) => weight)
        const expected = model()
        const settled: unknown[] = []
        for (const each of acts) {
          doOn(queue, each, settled)
          expected.do(each)
          expect(queue.length).toBe(expected.held.length)
          expect(queue.weight).toBe(expected.held.reduce((sum, weight) => sum + weight, 0))
        }
        for (let turn = 0; turn < 5; turn += 1) await null // a promise resolved with a rejected one takes some microtasks to follow it
        expect(settled).toEqual(expected.settled)
      }),
      { numRuns: 500 }
    )
  })

  test('a long backlog that is taken while it grows keeps its order', async () => {
    const queue = createQueue<number>()
    let pushed = 0
    let taken = 0
    for (let round = 0; round < 20_000; round += 1) {
      queue.push(pushed++)
      queue.push(pushed++)
      expect(await queue.next()).toEqual(value(taken++))
    }
    expect(queue.length).toBe(20_000)
    while (queue.length > 0) expect((await queue.next()).value).toBe(taken++)
    expect([taken, queue.weight]).toEqual([40_000, 0])
  })
})
