/** Promises about single faults, beyond that nothing is lost. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { paths } from '../demo/proxy/faults.ts'
import { type Engine, type EngineName, installedEngines, startEngine } from './engines.ts'
import { carriers, exactness, longestGapMs } from './matrix/measure.ts'
import type { Report } from './matrix/page.ts'
import { type Stage, startStage } from './matrix/stage.ts'

const engines = new Map<EngineName, Engine>()

beforeAll(async () => {
  for (const name of installedEngines()) engines.set(name, await startEngine(name))
}, 120_000)
afterAll(async () => {
  for (const engine of engines.values()) await engine.close()
})

const isLiveOn = (transport: string) => (seen: Report) => carriers(seen).at(-1) === transport

/** Follows a job with an event every 50 ms in a page until `act` is done. Checks that the events are exact and returns the longest gap. */
async function following(name: EngineName, prepare: (stage: Stage) => void, act: (stage: Stage, signal: AbortSignal) => Promise<void>): Promise<number> {
  const signal = AbortSignal.timeout(200_000)
  const stage = await startStage()
  prepare(stage)
  await stage.publish('started', {})
  const tab = await engines.get(name)?.open(stage.pageUrl(paths, false))
  let index = 0
  let publishing: NodeJS.Timeout | undefined
  try {
    await stage.until(({ events }) => events.length > 0, signal)
    publishing = setInterval(() => void stage.publish('output', { index: index++ }), 50)
    await act(stage, signal)
    clearInterval(publishing)
    await stage.publish('succeeded', {})
    await stage.until(({ over }) => over !== undefined, signal)
    const log = await stage.readLog()
    expect(exactness(log, stage.seen)).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true })
    return longestGapMs(log, stage.seen)
  } finally {
    clearInterval(publishing)
    await tab?.close()
    await stage.close()
  }
}

describe.concurrent.each(installedEngines())('%s', { timeout: 240_000 }, (name) => {
  test('a job that began on long polling is on WebSocket within 60 s of when its proxy lets WebSockets through', async () => {
    await following(
      name,
      ({ proxy }) => proxy.set({ upTo: 'sse', webSocket: 'refuse', http: 'refuse' }),
      async ({ proxy, until }, signal) => {
        await until(isLiveOn('long-poll'), signal)
        // After several failures WebSocket is tried less often.
        await until(({ diagnostics }) => diagnostics.filter(({ type, transport }) => type === 'probe-failed' && transport === 'websocket').length >= 3, signal)
        proxy.set({ webSocket: 'pass', http: 'pass' })
        await until(isLiveOn('websocket'), AbortSignal.timeout(60_000))
      }
    )
  })

  test('a connection that goes dead without a close is replaced long before it has missed its heartbeats', async () => {
    const gapMs = await following(
      name,
      () => {},
      async ({ proxy, until, seen }, signal) => {
        await until(isLiveOn('websocket'), signal)
        await until(({ events }) => events.length >= 120, signal)
        const before = seen.events.length
        proxy.set({ deadAfterMs: 5000 })
        await until(({ events }) => events.length >= before + 100, signal)
      }
    )
    // About 2.5 s on a machine that is not busy. By heartbeats alone it would take 37.5 s.
    expect(gapMs).toBeLessThan(30_000)
  })
})
