import type { Control } from '../protocol/frames.ts'
import type { Budget, JobCursor } from './job-cursor.ts'

/** One object for every reader, so that `encodeOnce` encodes it once. */
export const HEARTBEAT: Control = { control: 'heartbeat' }

/** The controls that wait for a reader. A class, like everything that each of ten thousand readers has one of. */
export class ControlQueue {
  private controls: Control[] = []
  /** At most one heartbeat and one pong: they must not pile up for a slow reader. */
  private heartbeats: Control[] = []

  /** How many controls wait that are no heartbeats. */
  get size(): number {
    return this.controls.length
  }

  isEmpty(): boolean {
    return this.controls.length + this.heartbeats.length === 0
  }

  add(control: Control): void {
    if (control.control !== 'heartbeat' && control.control !== 'pong') this.controls.push(control)
    else if (this.heartbeats.every((queued) => queued.control !== control.control)) this.heartbeats.push(control)
  }

  /** Removes what waits, but for heartbeats. */
  take(): Control[] {
    const taken = this.controls
    this.controls = []
    return taken
  }

  takeAll(): Control[] {
    const taken = this.take()
    if (this.heartbeats.length > 0) taken.push(...this.heartbeats.splice(0))
    return taken
  }

  clear(): void {
    this.controls = []
    this.heartbeats = []
  }
}

/** The jobs of a reader that may have something new, the longest waiting first. */
export class ReadQueue {
  private readonly cursors: JobCursor[] = []

  isEmpty(): boolean {
    return this.cursors.length === 0
  }

  /** Whether a job waits whose reader hasn't had `subscribed`. */
  hasUnannounced(): boolean {
    return this.cursors.some(isUnannounced)
  }

  add(cursor: JobCursor): void {
    if (cursor.isQueued) return
    cursor.isQueued = true
    this.cursors.push(cursor)
  }

  remove(cursor: JobCursor): void {
    if (cursor.isQueued) this.removeAt(this.cursors.indexOf(cursor))
  }

  /** Removes the first job that the budget has room for. */
  take(budget: Budget): JobCursor | undefined {
    for (const [index, cursor] of this.cursors.entries()) if (canRead(cursor, budget)) return this.removeAt(index)
    return undefined
  }

  private removeAt(index: number): JobCursor | undefined {
    const [cursor] = this.cursors.splice(index, 1)
    if (cursor) cursor.isQueued = false
    return cursor
  }
}

/** Who waits for something to be pulled: at most one. */
export class Waiter {
  private call: (() => void) | undefined

  /** Calls `call` once, at the next `wake` or `wakeSoon`. */
  wait(call: () => void): void {
    this.call = call
  }

  wake(): void {
    this.take()?.()
  }

  /** Wakes it in a microtask. */
  wakeSoon(): void {
    const call = this.take()
    if (call) queueMicrotask(call)
  }

  private take(): (() => void) | undefined {
    const { call } = this
    this.call = undefined
    return call
  }
}

/** `subscribed` is sent even where the budget is used up: an answer has a member for every job. */
const canRead = (cursor: JobCursor, budget: Budget) => isUnannounced(cursor) || (budget.events > 0 && budget.bytes > 0)
const isUnannounced = (cursor: JobCursor) => !cursor.isAnnounced()
