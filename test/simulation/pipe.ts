/** One direction of a connection: bytes come in order, each after its latency, and wait while the path is stalled. */

import { clock } from './clock.ts'
import type { Kind } from './faults.ts'
import type { Network, NetworkOptions } from './network.ts'

export interface Pipe {
  send(run: () => void): void
  clear(): void
}

export interface PipeOptions extends Pick<NetworkOptions, 'random' | 'latencyMs' | 'jitterMs'>, Pick<Network, 'windowFor'> {
  /** How to release what a stall holds. */
  stalled: Set<() => void>
}

type Item = { due: number; run(): void }

export function createPipe(kind: Kind, { windowFor, stalled, random, latencyMs, jitterMs }: PipeOptions): Pipe {
  const queue: Item[] = []
  let callOff: (() => void) | undefined
  let last = 0

  function arm(): void {
    const [first] = queue
    if (first && !callOff) callOff = clock.after(first.due - clock.now, deliver)
  }
  function deliver(): void {
    callOff = undefined
    const stall = windowFor(kind, 'stalled')
    if (stall) {
      stall.hit(kind)
      const goOn = (): void => {
        callOff?.()
        deliver()
      }
      stalled.add(goOn)
      const callOffTimer = clock.after(stall.until - clock.now, goOn)
      callOff = () => {
        stalled.delete(goOn)
        callOffTimer()
      }
      return
    }
    queue.shift()?.run()
    arm()
  }
  return {
    send(run) {
      const slow = windowFor(kind, 'slow-path')
      if (slow) slow.hit(kind)
      last = Math.max(last, clock.now + latencyMs + random() * jitterMs + (slow ? random() * slow.amount : 0))
      queue.push({ due: last, run })
      arm()
    },
    clear() {
      queue.length = 0
      callOff?.()
      callOff = undefined
    }
  }
}
