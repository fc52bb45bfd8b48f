/** Behind a proxy that spoils event streams only, live NDJSON carries the job, in every engine. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, type EngineName, installedEngines, startEngine } from './engines.ts'
import { carriers, exactness } from './matrix/measure.ts'
import { startStage } from './matrix/stage.ts'

const engines = new Map<EngineName, Engine>()

beforeAll(async () => {
  for (const name of installedEngines()) engines.set(name, await startEngine(name))
}, 120_000)
afterAll(async () => {
  for (const engine of engines.values()) await engine.close()
})

const EVENTS = 20

describe.concurrent.each(installedEngines())('in %s', (name) => {
  test('a buffered event stream, and lines that are cut twice: each event once', { timeout: 60_000 }, async ({ onTestFinished, signal }) => {
    const stage = await startStage()
    onTestFinished(() => stage.close())
    stage.proxy.set({ bufferStreams: true, upTo: 'sse' })
    await stage.publish('started', {})
    const tab = await engines.get(name)?.open(stage.pageUrl(['sse', 'ndjson', 'short-poll'], false))
    onTestFinished(() => tab?.close())
    await stage.until((seen) => carriers(seen).includes('ndjson'), signal)
    for (let index = 0; index < EVENTS; index += 1) {
      await stage.publish('output', { index })
      await stage.until(({ events }) => events.length >= index, signal)
      if (index === 5 || index === 12) stage.proxy.cut()
    }
    await stage.publish('succeeded', {})
    await stage.until(({ over }) => over !== undefined, signal)
    expect(exactness(await stage.readLog(), stage.seen)).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true })
    expect(carriers(stage.seen)[0]).toBe('ndjson') // a probe of the event stream may be passed on as a whole, once the job has ended
  })
})
