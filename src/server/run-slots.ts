/** One job's place among those that run or wait to run. */
export interface RunSlot {
  /** Whose job it is. */
  readonly subject: string | undefined
  /** Its place in the queue when it came, from 1. `undefined`: it needn't wait. */
  readonly position: number | undefined
  /** Resolves when the job may run. Stays pending after `release`. */
  readonly ready: Promise<void>
  /** Calls `moved` with the job's place in the queue as it moves up: at most once a second, and not for every single step of a long way. */
  onMove(moved: (position: number) => void): void
  /**
   * Where the job runs: stops counting it until the function that this returns is called, and every other one that `lend` has returned. For a job that waits
   * for another one.
   */
  lend(): () => void
  /** Gives the place back: the job has ended, or doesn't wait any more. */
  release(): void
}

export interface SlotRequest {
  /** Whose job it is. Without one `maxRunningPerSubject` doesn't count. Default: the parent's. */
  subject?: string | undefined
  /** The slot of the running job that runs this one. It isn't counted until this one has ended, so that jobs that wait for others never take all places. */
  parent?: RunSlot | undefined
}

export interface RunSlots {
  /** Takes a place. `undefined` where `maxQueued` jobs wait already. */
  acquire(request?: SlotRequest): RunSlot | undefined
}

interface Waiting {
  subject: string | undefined
  /** The place in the queue that was told last. */
  position: number
  start(): void
  moved?(position: number): void
}

/** How often jobs in the queue are told their places at most. */
const MOVED_MS = 1000
/** Up to this place, every step is told. Further back, only where half of the way was made: a job costs its log few events, however long the queue. */
const NEAR = 10

/**
 * Bounds how many jobs run at once: `maxRunning` in all, `maxRunningPerSubject` for each subject. The others wait in the order in which they came; jobs of a
 * subject that has reached its limit are passed over.
 */
export function createRunSlots({
  maxRunning,
  maxRunningPerSubject,
  maxQueued
}: {
  maxRunning: number
  maxRunningPerSubject: number
  maxQueued: number
}): RunSlots {
  const waiting = new Set<Waiting>()
  const runningBySubject = new Map<string, number>()
  let runningCount = 0
  let moveTimer: NodeJS.Timeout | undefined

  const mayRun = (subject: string | undefined): boolean =>
    runningCount < maxRunning && (subject === undefined || (runningBySubject.get(subject) ?? 0) < maxRunningPerSubject)

  function count(subject: string | undefined, change: 1 | -1): void {
    runningCount += change
    if (subject === undefined) return
    const now = (runningBySubject.get(subject) ?? 0) + change
    if (now === 0) runningBySubject.delete(subject)
    else runningBySubject.set(subject, now)
  }

  function startNext(): void {
    for (const next of waiting) {
      if (runningCount >= maxRunning) return
      if (mayRun(next.subject)) next.start()
    }
  }

  function leaveQueue(job: Waiting): void {
    if (!waiting.delete(job)) return
    if (waiting.size > 0) moveTimer ??= setTimeout(tellPositions, MOVED_MS)
    else cancelMove()
  }

  function cancelMove(): void {
    clearTimeout(moveTimer)
    moveTimer = undefined
  }

  function tellPositions(): void {
    moveTimer = undefined
    let position = 0
    for (const job of waiting) {
      position += 1
      if (position > (position <= NEAR ? job.position - 1 : job.position / 2)) continue
      job.position = position
      job.moved?.(position)
    }
  }

  return {
    acquire({ parent, subject = parent?.subject } = {}) {
      const takeBack = parent?.lend()
      const mustWait = !mayRun(subject)
      if (mustWait && waiting.size >= maxQueued) {
        takeBack?.()
        return undefined
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      let state: 'waiting' | 'running' | 'left' = 'waiting'
      let borrowers = 0
      const own: Waiting = {
        subject,
        position: waiting.size + 1,
        start() {
          leaveQueue(own)
          state = 'running'
          count(subject, 1)
          resolve()
        }
      }
      if (mustWait) waiting.add(own)
      else own.start()
      return {
        subject,
        position: mustWait ? own.position : undefined,
        ready: promise,
        onMove(moved) {
          own.moved = moved
        },
        lend() {
          if (state !== 'running') return () => {} // the work goes on although its job has given its place back
          borrowers += 1
          if (borrowers === 1) count(subject, -1)
          return () => {
            borrowers -= 1
            if (borrowers === 0 && state === 'running') count(subject, 1)
          }
        },
        release() {
          const before = state
          state = 'left'
          leaveQueue(own)
          if (before === 'running' && borrowers === 0) count(subject, -1)
          if (before !== 'left') takeBack?.()
          startNext()
        }
      }
    }
  }
}
