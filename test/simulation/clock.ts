/** Virtual time in place of the process's own: runs one due task, and all that follows from it, before the next. Must be imported before the client. */

import { Wrong } from './wrong.ts'

export interface Task {
  at: number
  order: number
  run: (() => void) | undefined
}

const realImmediate = globalThis.setImmediate
/** Lets all microtasks run. */
export const drain = (): Promise<void> => new Promise((resolve) => realImmediate(resolve))

/** So many tasks at one time are an endless loop. */
const MAX_TASKS_AT_ONCE = 20_000

let heap: Task[] = []
let now = 0
let order = 0
/** The client's timers by id. `dueAt` is when each would fire in a visible page. */
const timers = new Map<number, { dueAt: number; task: Task; fire(): void }>()
let timerId = 0
let inOneInstant = 0
/** How long the page's monotonic clock has stood still in sleeps that are over, and since when it stands still now. */
let sleptMs = 0
let asleepSince: number | undefined
/** Whether the page is frozen: none of its tasks runs. */
let isFrozen = false
/** The page's tasks that are due but were held back while it was frozen. */
let heldBack: (() => void)[] = []
/** Since when timers are throttled, as in a hidden page: to whole seconds, and after five minutes to whole minutes. */
let throttledSince: number | undefined
const INTENSIVE_MS = 300_000
/** A delay is a signed 32-bit integer. A longer one makes a timer fire at once (HTML §8.6). */
const MAX_TIMER_MS = 2 ** 31 - 1
/** More timers than this in one second of a page are an endless loop. */
const MAX_FIRED = 200
let second = 0
let fired = 0
let busiest = 0

const isBefore = (a: Task, b: Task): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

function push(task: Task): void {
  let index = heap.push(task) - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    const above = heap[parent] as Task // as: a parent exists
    if (!isBefore(task, above)) break
    heap[index] = above
    index = parent
  }
  heap[index] = task
}

function pop(): Task | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (!first || !last || heap.length === 0) return first
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    const [left, right] = [heap[child], heap[child + 1]]
    if (!left) break
    if (right && isBefore(right, left)) child += 1
    const least = heap[child] as Task // as: it is one of the two
    if (!isBefore(least, last)) break
    heap[index] = least
    index = child
  }
  heap[index] = last
  return first
}

function schedule(ms: number, run: () => void): Task {
  const task = { at: now + Math.max(0, Number.isFinite(ms) ? ms : 0), order: order++, run }
  push(task)
  return task
}

/** Runs the tasks that were held back, each as a task of its own, before any other. */
function catchUp(): void {
  clock.after(0, () => {
    if (isFrozen) return
    heldBack.shift()?.()
    if (heldBack.length > 0) catchUp()
  })
}

export const clock = {
  get now(): number {
    return now
  },
  /** How many timers of the client are pending. */
  get timers(): number {
    return timers.size
  },
  /** Schedules a task of the simulation. Returns how to cancel it. */
  after(ms: number, run: () => void): () => void {
    const task = schedule(ms, run)
    return () => {
      task.run = undefined
    }
  },
  /** Runs a task of the page: now, or after the page is thawed. */
  ofPage(run: () => void): void {
    if (isFrozen || heldBack.length > 0) heldBack.push(run)
    else run()
  },
  /** Freezes the page. With `isAsleep` the whole machine sleeps, and the page's monotonic clock stands still. */
  freeze(isAsleep = false): void {
    isFrozen = true
    if (isAsleep) asleepSince = now
  },
  /** Lets the page run again. */
  thaw(): void {
    sleptMs += now - (asleepSince ?? now)
    asleepSince = undefined
    isFrozen = false
    catchUp()
  },
  throttle(isHidden: boolean): void {
    throttledSince = isHidden ? now : undefined
    if (isHidden) return
    // Runs what was held back.
    for (const [id, { dueAt, task, fire }] of timers) {
      task.run = undefined
      timers.set(id, { dueAt, task: schedule(dueAt - now, () => clock.ofPage(fire)), fire })
    }
  },
  /** How long the page's monotonic clock has stood still so far. */
  get sleptMs(): number {
    return sleptMs
  },
  /** The most timers that fired within one second. */
  get busiest(): number {
    return busiest
  },
  reset(): void {
    heap = []
    now = 0
    order = 0
    timers.clear()
    timerId = 0
    sleptMs = 0
    asleepSince = undefined
    isFrozen = false
    heldBack = []
    throttledSince = undefined
    second = fired = busiest = 0
    inOneInstant = 0
  },
  /** Runs tasks until that time, until none is left before it, or until `isOver`. */
  async runUntil(until: number, isOver: () => boolean = () => false): Promise<void> {
    await drain()
    while (!isOver()) {
      const next = heap[0]
      if (!next || next.at > until) break
      pop()
      if (!next.run) continue
      inOneInstant = next.at > now ? 0 : inOneInstant + 1
      if (inOneInstant > MAX_TASKS_AT_ONCE) throw new Wrong('connections', `more than ${MAX_TASKS_AT_ONCE} tasks at ${now} ms: a loop without a pause`)
      now = Math.max(now, next.at)
      next.run()
      await drain()
    }
    if (!isOver()) now = Math.max(now, until)
  }
}

/** When a timer that is due then fires, with throttling. */
function throttled(dueAt: number): number {
  if (throttledSince === undefined) return dueAt
  const step = dueAt - throttledSince < INTENSIVE_MS ? 1000 : 60_000
  return Math.ceil(dueAt / step) * step
}

function count(): void {
  const at = Math.floor(now / 1000)
  fired = at === second ? fired + 1 : 1
  second = at
  busiest = Math.max(busiest, fired)
  if (fired > MAX_FIRED) throw new Wrong('timers', `more than ${MAX_FIRED} timers have fired in the second of ${Math.round(now)} ms`)
}

function startTimer(callback: (...args: unknown[]) => void, ms: number, repeats: boolean, args: unknown[]): number {
  timerId += 1
  const id = timerId
  const start = (): void => {
    // Whole milliseconds, and at least one: as in Node, and where nested in browsers (HTML §8.6).
    const wholeMs = ms > MAX_TIMER_MS ? 1 : Math.max(1, Math.trunc(ms) || 0)
    const dueAt = now + wholeMs
    timers.set(id, { dueAt, task: schedule(throttled(dueAt) - now, () => clock.ofPage(fire)), fire })
  }
  const fire = (): void => {
    if (!timers.has(id)) return // cleared while the page was frozen
    if (repeats) start()
    else timers.delete(id)
    count()
    callback(...args)
  }
  start()
  return id
}

function stopTimer(id?: number): void {
  const timer = timers.get(id ?? 0)
  if (timer) timer.task.run = undefined
  timers.delete(id ?? 0)
}

class VirtualPort {
  onmessage: ((event: { data: unknown }) => void) | null = null
  other: VirtualPort | undefined
  postMessage(data: unknown): void {
    clock.after(0, () => clock.ofPage(() => this.other?.onmessage?.({ data })))
  }
  close(): void {
    this.onmessage = null
  }
}

class VirtualChannel {
  readonly port1 = new VirtualPort()
  readonly port2 = new VirtualPort()
  constructor() {
    this.port1.other = this.port2
    this.port2.other = this.port1
  }
}

const EPOCH_MS = Date.UTC(2026, 10, 21)

/** Replaces the process's clock by this one. */
export function install(): void {
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, ms = 0, ...args: unknown[]) => startTimer(callback, ms, false, args),
    setInterval: (callback: () => void, ms = 0, ...args: unknown[]) => startTimer(callback, ms, true, args),
    clearTimeout: stopTimer,
    clearInterval: stopTimer,
    MessageChannel: VirtualChannel
  })
  performance.now = () => (asleepSince ?? now) - sleptMs
  Object.defineProperty(performance, 'timeOrigin', { value: EPOCH_MS })
  Date.now = () => EPOCH_MS + now
}
