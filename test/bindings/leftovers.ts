/** What code has left in the page: listeners on its window and document, timers, and animation frames. Counted from the import of this module on. */

const listeners = new Map<unknown, Set<string>>([
  [window, new Set()],
  [document, new Set()]
])
const timers = new Set<unknown>()
const frames = new Set<unknown>()
const numbers = new WeakMap<object, number>()
let objects = 0

/** The same listener, registered twice for a type and phase, is one. */
function keyOf(type: string, listener: object, options: boolean | AddEventListenerOptions | undefined): string {
  const number = numbers.get(listener) ?? ++objects
  numbers.set(listener, number)
  return `${type} ${typeof options === 'object' ? (options.capture ?? false) : (options ?? false)} ${number}`
}

const { addEventListener, removeEventListener } = EventTarget.prototype
EventTarget.prototype.addEventListener = function (type, listener, options) {
  addEventListener.call(this ?? window, type, listener, options)
  const known = listeners.get(this ?? window)
  if (!known || !listener) return
  const key = keyOf(type, listener, options)
  known.add(key)
  if (typeof options !== 'object') return
  if (options.once) addEventListener.call(this ?? window, type, () => known.delete(key), { once: true })
  if (options.signal) addEventListener.call(options.signal, 'abort', () => known.delete(key))
}
EventTarget.prototype.removeEventListener = function (type, listener, options) {
  removeEventListener.call(this ?? window, type, listener, options)
  if (listener) listeners.get(this ?? window)?.delete(keyOf(type, listener, options))
}

const { setTimeout, clearTimeout, requestAnimationFrame, cancelAnimationFrame } = window
window.setTimeout = ((handler: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
  const id = setTimeout(() => {
    timers.delete(id)
    handler(...args)
  }, ms)
  timers.add(id)
  return id
}) as typeof window.setTimeout // as: nobody here passes a string
window.clearTimeout = (id) => {
  timers.delete(id)
  clearTimeout(id)
}
window.requestAnimationFrame = (callback) => {
  const id = requestAnimationFrame((time) => {
    frames.delete(id)
    callback(time)
  })
  frames.add(id)
  return id
}
window.cancelAnimationFrame = (id) => {
  frames.delete(id)
  cancelAnimationFrame(id)
}

/** How many there are now. */
export const leftovers = (): { listeners: number; timers: number; frames: number } => ({
  listeners: [...listeners.values()].reduce((sum, { size }) => sum + size, 0),
  timers: timers.size,
  frames: frames.size
})
