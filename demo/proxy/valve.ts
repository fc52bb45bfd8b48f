import { Transform } from 'node:stream'

/** `open`: bytes pass. `shut`: nothing passes, not even the end. `until-end`: nothing passes before the source has ended. */
export type ValveMode = 'open' | 'shut' | 'until-end'

/** Holds or delays bytes on their way. It keeps their order, and backpressure bounds how many it holds. */
export interface Valve {
  readonly stream: Transform
  /** When bytes last passed, by `performance.now()`. */
  readonly lastPassedAt: number
  set(mode: ValveMode, delayMs: number): void
  /** Runs `pass` after the bytes written so far have passed. Keeps an answer's head before its body. `until-end` doesn't hold it. */
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
