/** One job's place among those that run or wait to run. */
export interface RunSlot {
  /** Its place in the queue when it came, from 1. `undefined`: it needn't wait. */
  readonly position: number | undefined
  /** Resolves when the job may run. Stays pending after `leave`. */
  readonly ready: Promise<void>
  /** Gives the place back: the job has ended, or doesn't wait any more. */
  release(): void
}

export interface RunSlots {
  /** Takes a place. `undefined` where `maxQueued` jobs wait already. Without a `subject`, `maxRunningPerSubject` doesn't count. */
  acquire(subject?: string): RunSlot | undefined
}

interface Waiting {
  subject: string | undefined
  start(): void
}

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

  return {
    acquire(subject) {
      const mustWait = !mayRun(subject)
      if (mustWait && waiting.size >= maxQueued) return undefined
      const { promise, resolve } = Promise.withResolvers<void>()
      let state: 'waiting' | 'running' | 'left' = 'waiting'
      const own: Waiting = {
        subject,
        start() {
          waiting.delete(own)
          state = 'running'
          count(subject, 1)
          resolve()
        }
      }
      if (mustWait) waiting.add(own)
      else own.start()
      return {
        position: mustWait ? waiting.size : undefined,
        ready: promise,
        release() {
          const before = state
          state = 'left'
          waiting.delete(own)
          if (before !== 'running') return
          count(subject, -1)
          startNext()
        }
      }
    }
  }
}
