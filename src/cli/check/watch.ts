/** Waiting for what others record. */

export interface Watch {
  /** Something was recorded: every waiting condition is looked at again. */
  changed(): void
  /** Resolves with true once it holds; with false where nothing more comes, or not within the limit. */
  until(holds: () => boolean, limitMs: number): Promise<boolean>
  /** Nothing more comes. */
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
