import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createClient, longPoll, shortPoll, sse, type Transport } from '../../../src/index.ts'
import { findRuntime, type RuntimeName } from '../../setup/runtimes.ts'
import { bundleFetch } from './bundle.ts'

/** The command of each runtime, and code that serves with it. */
const runtimes: Record<RuntimeName, { serve: string; args: readonly string[] }> = {
  bun: { serve: "const { port } = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 60, fetch: jobs.fetch }); console.log(port)", args: ['run'] },
  deno: {
    serve: "Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(port) }, jobs.fetch)",
    args: ['run', '--no-remote', '--no-lock', '--no-prompt', '--allow-net=127.0.0.1']
  }
}

const work = `async (job, input) => {
  for (let n = 1; n <= input.steps; n += 1) {
    await job.progress({ current: n, total: input.steps })
    await job.output({ n })
    if (input.pauseMs) await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, input.pauseMs)
      job.signal.addEventListener('abort', () => { clearTimeout(timer); reject(job.signal.reason) })
    })
  }
  return { steps: input.steps }
}`

/** Starts a server in the runtime, until the end of the test. Resolves with its base URL. */
async function start(name: RuntimeName, path: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-runtime-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { code } = await bundleFetch('es', [name])
  writeFileSync(join(folder, 'kit.mjs'), code)
  const { serve, args } = runtimes[name]
  writeFileSync(
    join(folder, 'main.mjs'),
    `import { createJobServer } from './kit.mjs'\nconst jobs = createJobServer({ heartbeatMs: 1000, start: ${work} })\n${serve}\n`
  )
  const child = spawn(path, [...args, join(folder, 'main.mjs')], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NO_COLOR: '1' } })
  const exited = once(child, 'exit').then(([exit]) => {
    throw new Error(`${name} ended with ${exit}`)
  })
  exited.catch(() => {}) // it ends at some time
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited.catch(() => {})
  })
  const [port] = (await Promise.race([once(createInterface(child.stdout), 'line'), exited])) as [string] // as: its first line
  return `http://127.0.0.1:${port}/jobs`
}

describe.each(['bun', 'deno'] as const)('on %s', { timeout: 60_000 }, (name) => {
  const path = findRuntime(name)

  test.skipIf(path === undefined).each([
    ['an event stream', sse()],
    ['long polls', longPoll()],
    ['short polls', shortPoll()]
  ] as [string, Transport][])('a job is started, and followed by %s to its end', async (_, transport) => {
    const client = createClient({ url: await start(name, path ?? ''), transports: [transport], memory: false, firstLook: false })
    onTestFinished(() => client.close())
    const job = await client.start({ steps: 5, pauseMs: 20 })
    const outputs: unknown[] = []
    for await (const { type, data } of job) if (type === 'output') outputs.push(data)
    expect(outputs).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })))
    expect(await job.result).toEqual({ steps: 5 })
  })

  test.skipIf(path === undefined)('a long poll waits, a snapshot answers, a cancel ends the work, a stream that is left is released', async () => {
    const base = await start(name, path ?? '')
    const started = (await (await fetch(base, { method: 'POST', body: '{"steps":100000,"pauseMs":10}' })).json()) as { id: string } // as: a snapshot
    const url = `${base}/${started.id}`
    const leaving = new AbortController()
    const stream = await fetch(`${url}/events`, { headers: { accept: 'text/event-stream' }, signal: leaving.signal })
    const reader = stream.body?.getReader()
    await reader?.read()
    leaving.abort()
    const poll = await fetch(`${url}/events?after=tail`, { headers: { prefer: 'wait=20', accept: 'application/json' } })
    expect(((await poll.json()) as { events: unknown[] }).events).not.toEqual([])
    expect(await (await fetch(url)).json()).toMatchObject({ status: 'running', progress: { total: 100000 } })
    expect((await fetch(`${url}/cancel`, { method: 'POST' })).status).toBe(202)
    await expect.poll(async () => ((await (await fetch(url)).json()) as { status: string }).status, { timeout: 20_000 }).toBe('cancelled')
  })
})
