import { Transform } from 'node:stream'

/** `open`: bytes pass. `shut`: nothing does, not even the end. `until-end`: nothing does before the source has ended. */
export type ValveMode = 'open' | 'shut' | 'until-end'

/** A place on the way of some bytes where they can be held or delayed. Order is kept; what is held is bounded by backpressure. */
export interface Valve {
  readonly stream: Transform
  /** When something last passed, by `performance.now()`. */
  readonly lastPassedAt: number
  set(mode: ValveMode, delayMs: number): void
  /** Runs `pass` once what was written so far has passed: how a head takes its turn before its body. `until-end` doesn't hold it. */
  head(pass: () => void): void
}

interface Held {
  dueAt: number
  bytes: number
  isHead: boolean
  pass(): void
}

const HOLD_BYTES = 8 * 1024 * 1024

export function createValve(): Valve {
  const held: Held[] = []
  let heldBytes = 0
  let mode: ValveMode = 'open'
  let delayMs = 0
  let lastPassedAt = performance.now()
  let ended = false
  let takeMore: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined

  const stream = new Transform({
    transform(chunk: Buffer, _encoding, taken) {
      takeMore = taken
      hold(() => stream.push(chunk), chunk.length)
    },
    flush(done) {
      ended = true
      hold(done)
    },
    destroy(error, done) {
      clearTimeout(timer)
      held.length = 0
      done(error)
    }
  })

  function hold(pass: () => void, bytes = 0, isHead = false): void {
    held.push({ dueAt: performance.now() + delayMs, bytes, isHead, pass })
    heldBytes += bytes
    release()
  }

  const isHeldBack = (item: Held): boolean => mode === 'shut' || (mode === 'until-end' && !ended && !item.isHead)

  function release(): void {
    clearTimeout(timer)
    const now = performance.now()
    for (let item = held[0]; item && !isHeldBack(item); item = held[0]) {
      if (item.dueAt > now) {
        clearTimeout(timer)
        timer = setTimeout(release, item.dueAt - now)
        break
      }
      held.shift()
      heldBytes -= item.bytes
      lastPassedAt = now
      item.pass()
    }
    const isFull = mode === 'shut' ? held.length > 0 : heldBytes >= HOLD_BYTES
    if (takeMore && !isFull) {
      const take = takeMore
      takeMore = undefined
      take()
    }
  }

  return {
    stream,
    get lastPassedAt() {
      return lastPassedAt
    },
    set(nextMode, nextDelayMs) {
      mode = nextMode
      delayMs = nextDelayMs
      release()
    },
    head: (pass) => hold(pass, 0, true)
  }
}
