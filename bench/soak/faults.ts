/** Random faults, one after the other. All contestants have the same ones at the same time. */

import { setTimeout as wait } from 'node:timers/promises'
import { type Faults, noFaults } from '../../demo/proxy/faults.ts'
import type { FaultyProxy } from '../../demo/proxy.ts'
import { between, pick } from './load.ts'

/** What a contestant is told. */
export type Order = Fault | { do: 'sample' }
type Fault = { do: 'set'; faults: Partial<Faults> } | { do: 'cut' } | { do: 'away'; ms: number } | { do: 'back' }

/** How often memory is measured. Not more often: each time also throws away compiled code. */
const SAMPLE_EACH_MS = 30_000
/** The pause before, without faults, in which clients connect again and get what they missed. It would count as memory. */
const CATCH_UP_MS = 4000

const failings: readonly (() => Partial<Faults>)[] = [
  () => ({ webSocket: pick(['refuse', 'reset', 'unanswered', 'mute', 'kill']) }),
  () => ({ http: pick(['reset', 'unanswered', 'mute', 'kill']) }),
  () => ({ bufferStreams: true }),
  () => ({ requestLimitMs: 1000 }),
  () => ({ latencyMs: between(10, 300) }),
  () => ({ stalled: true }),
  () => ({ deadAfterMs: between(100, 2000) }),
  () => ({ cutAfterMs: between(100, 2000) }),
  () => ({ resetAfterMs: between(200, 3000) }),
  () => ({ idleLimitMs: between(100, 1000) })
]

function draw(): Fault {
  const kind = between(0, failings.length + 1)
  if (kind === failings.length) return { do: 'cut' }
  if (kind > failings.length) return { do: 'away', ms: between(500, 3000) }
  return { do: 'set', faults: { ...failings[kind]?.(), upTo: pick(['websocket', 'sse', 'long-poll', 'short-poll']) } }
}

/** Gives orders until `isOver`, samples in between, then lifts every fault. Resolves with the number of faults. */
export async function orderFaults(isOver: () => boolean, order: (order: Order) => void): Promise<number> {
  let faults = 0
  let sampleAt = performance.now() + SAMPLE_EACH_MS
  for (; !isOver(); faults += 1) {
    order(draw())
    await wait(between(500, 4000))
    order({ do: 'set', faults: noFaults })
    await wait(between(0, 2000))
    if (performance.now() < sampleAt) continue
    order({ do: 'back' })
    await wait(CATCH_UP_MS)
    order({ do: 'sample' })
    sampleAt += SAMPLE_EACH_MS
  }
  order({ do: 'back' })
  return faults
}

export function obey(proxy: FaultyProxy, order: Fault): void {
  if (order.do === 'set') proxy.set(order.faults)
  else if (order.do === 'cut') proxy.cut()
  else if (order.do === 'away') proxy.awayFor(order.ms)
  else proxy.back()
}
