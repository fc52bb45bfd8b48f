import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { createJobServer, memoryLog, wrapLog } from '../../../src/server/fetch.ts'
import type { JobServerOptions } from '../../../src/server/server-options.ts'
import type { FetchJobServer } from '../../../src/server/types.ts'
import { bundleFetch } from './bundle.ts'

/** The globals that every runtime of the Fetch standard has. None is Node's own. */
const SHARED = [
  'AbortController AbortSignal Headers Request Response ReadableStream TextDecoder TextEncoder URL URLSearchParams',
  'btoa atob console crypto performance queueMicrotask structuredClone Event EventTarget DOMException'
].flatMap((names) => names.split(' '))

/** Timers as in browsers and Workers, where a timer is a number. */
function timers(): Record<string, unknown> {
  const known = new Map<number, NodeJS.Timeout>()
  let last = 0
  const keep = (timer: NodeJS.Timeout) => {
    last += 1
    known.set(last, timer)
    return last
  }
  onTestFinished(() => {
    for (const timer of known.values()) clearTimeout(timer)
  })
  return {
    setTimeout: (run: () => void, ms?: number) => keep(setTimeout(run, ms)),
    setInterval: (run: () => void, ms?: number) => keep(setInterval(run, ms)),
    clearTimeout: (id: number) => clearTimeout(known.get(id)),
    clearInterval: (id: number) => clearInterval(known.get(id))
  }
}

interface Kit {
  createJobServer: typeof createJobServer
  memoryLog: typeof memoryLog
  wrapLog: typeof wrapLog
}

async function load(): Promise<Kit> {
  const { code } = await bundleFetch('iife', ['worker', 'browser'])
  const globals = globalThis as unknown as Record<string, unknown> // as: by name
  const { log } = console
  const context = { ...Object.fromEntries(SHARED.map((name) => [name, globals[name]])), console: { ...console, log }, ...timers() }
  runInNewContext(code, context)
  return runInNewContext('jobtail', context) as Kit // as: what the bundle is
}

async function serve(options: JobServerOptions): Promise<FetchJobServer> {
  const { createJobServer } = await load()
  const jobs = createJobServer(options)
  onTestFinished(() => jobs.close({ graceMs: 0 }))
  return jobs
}

const request = (path: string, init: RequestInit & { accept?: string } = {}) =>
  new Request(`https://app.example/jobs${path}`, { ...init, headers: { accept: init.accept ?? 'application/json' } })

test('jobtail/server/fetch exports what jobtail/server does', async () => {
  const [ofFetch, ofNode] = await Promise.all([import('../../../src/server/fetch.ts'), import('../../../src/server/index.ts')])
  expect(Object.keys(ofFetch).sort()).toEqual(Object.keys(ofNode).sort())
})

describe('jobtail/server/fetch, bundled for runtimes other than Node', () => {
  test.each([[['browser']], [['worker', 'browser']], [['workerd', 'worker', 'browser']], [['deno']], [['bun']]])(
    'imports nothing from outside: %j',
    async (conditions) => {
      const { imports, code } = await bundleFetch('es', conditions)
      expect(imports).toEqual([])
      expect(code).not.toMatch(/['"](node:|ws['"])/)
    }
  )

  test('starts, follows by event stream, long poll and snapshot, cancels', async () => {
    const step = Promise.withResolvers<void>()
    const jobs = await serve({
      async start(job, input) {
        await job.progress({ ratio: 0.5 })
        await step.promise
        return { input }
      }
    })
    const started = await jobs.fetch(request('', { method: 'POST', body: '{"n":1}' }))
    expect(started.status).toBe(202)
    const { id } = (await started.json()) as { id: string }
    const stream = await jobs.fetch(request(`/${id}/events`, { accept: 'text/event-stream' }))
    const text = stream.text()
    await vi.waitFor(async () => expect(await (await jobs.fetch(request(`/${id}`))).json()).toMatchObject({ status: 'running', progress: { ratio: 0.5 } }))
    const first = (await (await jobs.fetch(request(`/${id}/events`))).json()) as { events: { id: string }[] }
    const waiting = jobs.fetch(
      new Request(`https://app.example/jobs/${id}/events?after=${first.events.at(-1)?.id}`, { headers: { accept: 'application/json', prefer: 'wait=20' } })
    )
    step.resolve()
    expect(await (await waiting).json()).toMatchObject({ events: [{ type: 'succeeded', data: { input: { n: 1 } } }] })
    expect(await text).toContain('"type":"succeeded"')
  })

  test('expires jobs of its log', async () => {
    const { createJobServer, memoryLog } = await load()
    const jobs = createJobServer({ log: memoryLog({ ttlMs: 300, idleTtlMs: 60_000 }) })
    onTestFinished(() => jobs.close({ graceMs: 0 }))
    await jobs.publish('a', 'succeeded', {})
    await vi.waitFor(async () => expect((await jobs.fetch(request('/a'))).status).toBe(410))
  })
})

describe('waitUntil', () => {
  test('gets the work that a request starts, until it has ended', async () => {
    const step = Promise.withResolvers<void>()
    const jobs = await serve({ start: () => step.promise })
    const waited: Promise<unknown>[] = []
    const context = {
      own: true,
      waitUntil(promise: Promise<unknown>) {
        expect(this.own).toBe(true) // that of Workers throws without its object
        waited.push(promise)
      }
    }
    await jobs.fetch(request('', { method: 'POST' }), context)
    expect(waited).toHaveLength(1)
    const ended = vi.fn()
    void waited[0]?.then(ended)
    await new Promise(setImmediate)
    expect(ended).not.toHaveBeenCalled()
    step.resolve()
    await waited[0]
  })

  test('gets no rejection when the work fails, which the platform would count as its own failure', async () => {
    const jobs = await serve({ start: () => Promise.reject(new Error('no')), onError: () => {} })
    const waited: Promise<unknown>[] = []
    await jobs.fetch(request('', { method: 'POST' }), { waitUntil: (promise: Promise<unknown>) => waited.push(promise) })
    await expect(waited[0]).resolves.toBeUndefined()
  })

  test.each([undefined, null, 5, {}, { waitUntil: 5 }, { waitUntil: null }])('is not needed: %j', async (context) => {
    const jobs = await serve({ start: () => 1 })
    expect((await jobs.fetch(request('', { method: 'POST' }), context)).status).toBe(202)
  })
})
