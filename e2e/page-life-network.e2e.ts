/** The network goes away and comes back, in each engine: the state says so at once, and the job is live again at once. */

import { afterEach, describe, expect, test } from 'vitest'
import { launchBrowser } from './browsers.ts'
import { type EngineName, installedEngines, startEngine } from './engines.ts'
import { createLifeWorld, type Evaluated, type LifeWorld, patiently } from './page-life-world.ts'

let world: LifeWorld
let close = async (): Promise<void> => {}
afterEach(async () => {
  await close()
  await world.close()
})

interface Page extends Evaluated {
  setOffline(isOffline: boolean): Promise<void>
}

/** Uses the engine's network emulation. WebKitGTK has none: there the proxy cuts, and the page gets the events `offline` and `online`. */
async function open(name: EngineName, url: string): Promise<Page> {
  if (name !== 'webkit') {
    const browser = await launchBrowser(name)
    close = () => browser.close()
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(url)
    return { evaluate: (expression) => page.evaluate(expression), setOffline: (isOffline) => context.setOffline(isOffline) }
  }
  const engine = await startEngine(name)
  close = engine.close
  const { evaluate } = await engine.open(url)
  return {
    evaluate,
    setOffline: (isOffline) =>
      evaluate(
        `(Object.defineProperty(navigator, 'onLine', { value: ${!isOffline}, configurable: true }), dispatchEvent(new Event('${isOffline ? 'offline' : 'online'}')), null)`
      )
  }
}

describe.each(installedEngines())('in %s', (name) => {
  test.each(['websocket', 'sse,long-poll,short-poll'])('offline for a while: %s', async (transports) => {
    world = await createLifeWorld({ heartbeatMs: 2000, shortPollPauseMs: 500 })
    const feed = world.feed('42', 50)
    const page = await open(name, world.pageUrl(['42'], transports))
    const count = (): Promise<number> => page.evaluate(`life.events['42'].length`)
    const phase = (): Promise<string> => page.evaluate(`life.phases['42'].at(-1)`)
    /** When the last pause of the maximal length ends; 0 if there was none. */
    const pauseEnd = (): Promise<number> =>
      page.evaluate(`life.diagnostics.filter(({ type, ms }) => type === 'waiting' && ms >= 30_000).map(({ at, ms }) => at + ms).at(-1) ?? 0`)
    await expect.poll(() => page.evaluate('typeof life'), patiently).toBe('object')
    await expect.poll(count, patiently).toBeGreaterThan(20)

    world.proxy.awayFor(600_000)
    await page.setOffline(true)
    await expect.poll(phase, patiently).toBe('offline')
    // By now all attempts have failed, and the client waits for its longest pause.
    await expect.poll(pauseEnd, patiently).toBeGreaterThan(0)
    const had = await count()

    world.proxy.back()
    await page.setOffline(false)
    await expect.poll(phase, patiently).toBe('live')
    await expect.poll(count, patiently).toBeGreaterThan(had)
    expect(await page.evaluate(`life.diagnostics.findLast(({ type }) => type === 'live').at`)).toBeLessThan(await pauseEnd())
    expect(await page.evaluate(`life.diagnostics.map(({ type }) => type).filter((type) => /line$/.test(type))`)).toEqual(['offline', 'online'])
    await world.expectExact(page, '42', feed)
  })
})
