/** The bare peer under the same load: `ws`, streams and polls with nothing of Jobtail on either side. It connects again after each end. */

import { setTimeout as wait } from 'node:timers/promises'
import { followBare, type Via } from './bare-follower.ts'
import { serveBare } from './bare-server.ts'
import { CLIENTS, JOBS, pauseMs, progress } from './load.ts'
import { openStage } from './stage.ts'

/** What the followers found. */
export interface BareFound {
  published: number
  read: number
}

const found: BareFound = { published: 0, read: 0 }
const { server, url, subscriptions, isOver, end } = await openStage('bare peer', found)
const bare = serveBare(server)
const over = new AbortController()
const vias: readonly Via[] = ['websocket', 'stream', 'long-poll', 'short-poll']

async function runLane(lane: number): Promise<void> {
  while (!isOver()) {
    await wait(pauseMs())
    bare.publish(lane, progress(1))
    found.published += 1
  }
}

/** The lanes of Jobtail's client of the same index. */
const lanesOf = (index: number): number[] => [
  ...new Set(Array.from({ length: Math.ceil((subscriptions - index) / CLIENTS) }, (_, turn) => (index + turn * CLIENTS) % JOBS))
]

const followers = Array.from({ length: CLIENTS }, (_, index) => {
  const via = index % 2 === 1 ? (vias[Math.floor(index / 2) % vias.length] as Via) : 'websocket' // as: within bounds
  const onEvent = (): void => {
    found.read += 1
  }
  return followBare({ url, via, lanes: lanesOf(index), onEvent, signal: over.signal })
})
await Promise.all(Array.from({ length: JOBS }, (_, lane) => runLane(lane)))
over.abort()
await Promise.all(followers)
bare.close()
await end()
