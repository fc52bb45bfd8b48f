/** One cell of the table of e2e/backends: a backend, a fault, and a page in Chromium. */

import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser } from 'playwright'
import { noFaults } from '../../demo/proxy/faults.ts'
import { createProxy } from '../../demo/proxy.ts'
import type { Server } from '../../test/backends/servers.ts'
import { type SubjectName, subjects } from '../../test/backends/subjects.ts'
import type { Fault } from './faults.ts'
import type { Seen, Told } from './page.ts'
import { servePage } from './serve-page.ts'

/** How many steps a job has before, during and after its fault, and the pause between two of them. */
const STEPS = [2, 6, 2] as const
const PAUSE_MS = 200
/** How long a step of a lossy stream is waited for before the next one. */
const PATIENCE_MS = 1000
/** The time limit of one cell. */
const LIMIT_MS = 60_000

export interface Outcome {
  /** The server's record of the job's steps. */
  record: readonly number[]
  /** What the page has seen, before and after a reload. */
  seen: readonly Seen[]
  /** The steps that stood for a while, so that even a reader of the job's state has to see them. */
  stood: readonly number[]
  /** How the page's loop has ended; `undefined` where it has not. */
  over: string | undefined
  /** From the end of the fault to the first step after it, in ms. `NaN` for a fault that lasts. */
  backMs: number
}

/** Follows one job of this server in a new page, through the fault. */
export async function runCell(browser: Browser, name: SubjectName, server: Server, fault: Fault): Promise<Outcome> {
  const { promises, transports } = subjects[name].backend
  // Documents and long polls are not buffered.
  const isHeld = fault.holdsStreams && promises !== 'state' && transports.length === 1
  const { origin, pathname } = new URL(server.url)
  // LangGraph's server has its jobs below /threads.
  const path = pathname === '/' ? '/threads' : pathname
  const proxy = await createProxy({ target: origin, path, elsewhere: (req, res) => void servePage(req, res) })
  const context = await browser.newContext()
  const signal = AbortSignal.timeout(LIMIT_MS)
  const told = new EventEmitter()
  let seen: Told = { events: [], phase: '', over: undefined }
  const until = async (isTrue: () => boolean, further: AbortSignal = signal): Promise<void> => {
    while (!isTrue()) await once(told, 'told', { signal: AbortSignal.any([signal, further]) })
  }
  try {
    await context.exposeFunction('tell', (now: Told) => {
      seen = now
      told.emit('told')
    })
    const job = await server.job()
    const stood: number[] = []
    let made = 0
    const steps = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1) {
        await job.step(++made)
        await delay(PAUSE_MS)
      }
    }
    /** Waits until the page has seen the last step. A lossy reader may be away just then: further steps are made until it sees one. */
    const sight = async (): Promise<void> => {
      for (stood.push(made); ; await steps(1)) {
        const wanted = made
        const isSeen = (): boolean => seen.events.some(({ step }) => step === wanted)
        if (promises !== 'lossy') return until(isSeen)
        await until(isSeen, AbortSignal.timeout(PATIENCE_MS)).catch(() => {}) // the next step may be seen
        if (isSeen()) return
        signal.throwIfAborted()
      }
    }
    if (fault.during === 'always') proxy.set(fault.faults)
    const page = await context.newPage()
    await page.goto(`${proxy.url}/?${new URLSearchParams({ backend: name, job: job.id, url: `${proxy.url}${pathname === '/' ? '' : pathname}` })}`)
    if (promises === 'lossy') await until(() => seen.phase === 'live') // what comes before is lost, without a gap
    await steps(STEPS[0])
    if (!isHeld) await sight()
    if (fault.during === 'middle') proxy.set(fault.faults)
    if (fault.reloads) seen.phase = ''
    await Promise.all([steps(STEPS[1]), fault.reloads && page.reload()])
    const liftedAt = performance.now()
    if (fault.during === 'middle') proxy.set(noFaults)
    if (fault.reloads) await until(() => seen.phase === 'live')
    await steps(1)
    if (!isHeld) await sight()
    const backMs = fault.during === 'middle' ? performance.now() - liftedAt : Number.NaN
    await steps(STEPS[2])
    if (!isHeld) await sight()
    await job.end()
    if (server.neverEnds) proxy.set(noFaults)
    await until(() => seen.over !== undefined).catch(() => {}) // the job has not ended on the page, which the outcome says
    return { record: await job.record(), seen: seen.events, stood, over: seen.over, backMs }
  } finally {
    await context.close()
    await proxy.close()
  }
}
