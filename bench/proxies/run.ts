/** One proxy, one page: the client follows a job through it, then a bare EventSource and a bare WebSocket follow another one. */

import { setTimeout as delay } from 'node:timers/promises'
import { showPage } from '../../e2e/bare.ts'
import { carriers } from '../../e2e/matrix/measure.ts'
import { openProxy } from '../../test/server/deploy/open-proxy.ts'
import { type Figures, figuresOf, type Outcome } from './figures.ts'
import type { Who } from './page.ts'
import type { Setup } from './setups.ts'
import { type Stage, startStage } from './stage.ts'

const PAUSE_MS = 50
/** The time limit after the last event. */
const PATIENCE_MS = 12_000
const LOAD_MS = 30_000

const clock = (): number => performance.timeOrigin + performance.now()

/** The pace of the jobs. */
export interface Pace {
  /** How long there is an event every 50 ms. */
  seconds: number
  /** The pause without events in the middle. */
  restMs: number
}

async function append(stage: Stage, job: string, { seconds, restMs }: Pace): Promise<void> {
  const count = Math.max(2, Math.round((seconds * 1000) / PAUSE_MS))
  const startedAt = clock()
  for (let index = 1; index <= count; index += 1) {
    const dueAt = startedAt + index * PAUSE_MS + (index > count / 2 ? restMs : 0)
    const leftMs = dueAt - clock()
    if (leftMs > 0) await delay(leftMs)
    await stage.publish(job, index === count ? 'succeeded' : 'output', { index, text: `Ereignis № ${index} ${'·'.repeat(index % 40)}` })
  }
}

/** Measures one setup. `undefined`: without a proxy. */
export async function runSetup(setup: Setup | undefined, pace: Pace): Promise<Outcome> {
  await using stack = new AsyncDisposableStack()
  const stage = await startStage()
  stack.defer(stage.close)
  const { upstream, reportPort } = stage
  const direct = `http://127.0.0.1:${upstream}`
  const proxy = setup && (await openProxy(setup.proxy, (port, folder) => setup.configure({ port, folder, upstream })))
  if (proxy) stack.defer(proxy.close)
  const isForward = setup?.kind === 'forward'
  const origin = isForward || !proxy ? direct : proxy.origin
  const through = isForward && proxy ? [`--proxy-server=${proxy.origin}`, `--proxy-bypass-list=<-loopback>;127.0.0.1:${reportPort}`] : []

  const limitMs = pace.seconds * 1000 + pace.restMs + PATIENCE_MS
  const signal = AbortSignal.timeout(LOAD_MS + 2 * (limitMs + PATIENCE_MS))
  for (const job of ['client', 'bare']) await stage.publish(job, 'started', {})
  const page = await showPage('chromium', stage.pageUrl(origin, limitMs), through)
  stack.defer(page.close)

  async function follow(job: string, who: readonly Who[]): Promise<Figures[]> {
    await Promise.all(who.map((each) => stage.begun(each, signal)))
    await append(stage, job, pace)
    const told = await Promise.all(who.map((each) => stage.over(each, signal)))
    const log = await stage.readLog(job)
    return told.map((each) => figuresOf(log, each))
  }

  const [client] = await follow('client', ['client'])
  const { diagnostics, started, ...said } = await stage.over('client', signal)
  const [eventSource, webSocket] = await follow('bare', ['EventSource', 'WebSocket'])
  if (!client || !eventSource || !webSocket) throw new Error('one of them has no figures')
  return { client: { ...client, carriers: carriers({ diagnostics }), started, over: said.over }, eventSource, webSocket }
}
