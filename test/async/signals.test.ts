import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { child, delay, orAborted } from '../../src/async/signals.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A signal that counts its listeners. */
function counted() {
  const controller = new AbortController()
  const listeners = new Set<unknown>()
  const { signal } = controller
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  vi.spyOn(signal, 'addEventListener').mockImplementation((type: string, listener: EventListenerOrEventListenerObject, options) => {
    listeners.add(listener)
    add(type, listener, options)
  })
  vi.spyOn(signal, 'removeEventListener').mockImplementation((type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.delete(listener)
    remove(type, listener)
  })
  return { controller, signal, listeners }
}

const reason = new Error('enough')

describe('delay', () => {
  test('resolves after its time, and leaves nothing', async () => {
    const { signal, listeners } = counted()
    const passed = vi.fn()
    void delay(250, signal).then(passed)
    await vi.advanceTimersByTimeAsync(249)
    expect(passed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(passed).toHaveBeenCalledOnce()
    expect(listeners.size).toBe(0)
  })

  test('rejects with the very reason of an abort, its timer cleared', async () => {
    const { controller, signal } = counted()
    const waiting = delay(250, signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is over at once where the abort came before', async () => {
    await expect(delay(250, AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('orAborted', () => {
  test('is the promise’s value or error, and leaves no listener', async () => {
    const { signal, listeners } = counted()
    await expect(orAborted(Promise.resolve(7), signal)).resolves.toBe(7)
    await expect(orAborted(Promise.reject(reason), signal)).rejects.toBe(reason)
    await vi.waitFor(() => expect(listeners.size).toBe(0))
  })

  test('is the abort’s reason where that comes first; what the promise does then is nobody’s concern', async () => {
    const late = Promise.withResolvers<never>()
    const { controller, signal } = counted()
    const waiting = orAborted(late.promise, signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    late.reject(new Error('too late'))
    await expect(late.promise).rejects.toThrow('too late')
  })

  test('is the abort’s reason where that came before, whatever the promise does', async () => {
    await expect(orAborted(Promise.resolve(7), AbortSignal.abort(reason))).rejects.toBe(reason)
    await expect(orAborted(Promise.reject(new Error('other')), AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})

describe('child', () => {
  test('aborts with its parent, by its reason', () => {
    const { controller, signal } = counted()
    const own = child(signal)
    expect(own.signal.aborted).toBe(false)
    controller.abort(reason)
    expect(own.signal.reason).toBe(reason)
  })

  test('is aborted where its parent is', () => expect(child(AbortSignal.abort(reason)).signal.reason).toBe(reason))

  test('aborts alone, its parent untouched', () => {
    const { signal } = counted()
    const own = child(signal)
    own.abort(reason)
    expect(own.signal.reason).toBe(reason)
    expect(signal.aborted).toBe(false)
  })

  test('released, is its own master, and leaves no listener', () => {
    const { controller, signal, listeners } = counted()
    const own = child(signal)
    own.release()
    expect(listeners.size).toBe(0)
    controller.abort(reason)
    expect(own.signal.aborted).toBe(false)
  })
})
