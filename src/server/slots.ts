/** A job's place among those that run, or wait for it. */
export interface Slot {
  /** How many wait before it, itself included; undefined: it need not wait. */
  readonly position: number | undefined
  /** Resolves when it may run. */
  readonly ready: Promise<void>
  /** It has ended, or waits no longer. */
  leave(): void
}

export interface Slots {
  /** Undefined where `maxQueued` wait already. `subject`: whose it is; undefined: nobody's, of whom there may be any number. */
  enter(subject?: string): Slot | undefined
}

interface Waiting {
  subject: string | undefined
  begin(): void
}

/** At most `maxRunning` at once, and `maxRunningPerSubject` of each subject; the others wait, first come first served, a subject's that has its number being passed over. */
export function createSlots({ maxRunning, maxRunningPerSubject, maxQueued }: { maxRunning: number; maxRunningPerSubject: number; maxQueued: number }): Slots {
  const waiting = new Set<Waiting>()
  const running = new Map<string, number>()
  let runs = 0

  const mayRun = (subject: string | undefined): boolean => runs < maxRunning && (subject === undefined || (running.get(subject) ?? 0) < maxRunningPerSubject)

  function count(subject: string | undefined, change: 1 | -1): void {
    runs += change
    if (subject === undefined) return
    const now = (running.get(subject) ?? 0) + change
    if (now === 0) running.delete(subject)
    else running.set(subject, now)
  }

  function beginNext(): void {
    for (const next of waiting) {
      if (runs >= maxRunning) return
      if (mayRun(next.subject)) next.begin()
    }
  }

  return {
    enter(subject) {
      const mustWait = !mayRun(subject)
      if (mustWait && waiting.size >= maxQueued) return undefined
      const { promise, resolve } = Promise.withResolvers<void>()
      let state: 'waiting' | 'running' | 'left' = 'waiting'
      const own: Waiting = {
        subject,
        begin() {
          waiting.delete(own)
          state = 'running'
          count(subject, 1)
          resolve()
        }
      }
      if (mustWait) waiting.add(own)
      else own.begin()
      return {
        position: mustWait ? waiting.size : undefined,
        ready: promise,
        leave() {
          const before = state
          state = 'left'
          waiting.delete(own)
          if (before !== 'running') return
          count(subject, -1)
          beginNext()
        }
      }
    }
  }
}
