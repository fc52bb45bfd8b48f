/** Waits for conditions on what a reader records. */

export interface Watch {
  /** To be called after something was recorded: checks every waiting condition again. */
  changed(): void
  /** Resolves with `true` once the condition holds, and with `false` after `end` or after `limitMs`. */
  until(holds: () => boolean, limitMs: number): Promise<boolean>
  /** To be called when nothing more will be recorded. */
  end(): void
}

export function createWatch(): Watch {
  const waiting = new Set<() => void>()
  let ended = false
  const changed = (): void => {
    for (const look of waiting) look()
  }
  return {
    changed,
    until(holds, limitMs) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const timer = setTimeout(() => settle(false), limitMs)
      function settle(held: boolean): void {
        clearTimeout(timer)
        waiting.delete(look)
        resolve(held)
      }
      function look(): void {
        if (holds()) settle(true)
        else if (ended) settle(false)
      }
      waiting.add(look)
      look()
      return promise
    },
    end() {
      ended = true
      changed()
    }
  }
}
