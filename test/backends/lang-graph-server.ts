/** LangGraph's server, where `npm test` has installed it. A test controls its graph. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { freePort } from '../server/redis-server.ts'
import { langGraph } from '../setup/peers.ts'
import { type RecordedJob, serve } from './foreign-server.ts'

/** The graph's next step: it writes in the mode `custom`, fails, asks a person, or ends. */
export type Step = { write: unknown } | { fail: string } | { ask: string } | { end: unknown }

export interface LangGraphServer {
  url: string
  run(options?: object): Promise<{ id: string; tell(step: Step): void }>
  /** A run whose steps are what its graph writes. */
  job(): Promise<RecordedJob>
  close(): Promise<void>
}

export async function startLangGraph(): Promise<LangGraphServer> {
  const told = new Map<string, Step[]>()
  const changed = new Set<() => void>()
  const control = await serve((req, res) => {
    const [, job = '', n] = (req.url ?? '').split('/')
    const answer = (): void => {
      const step = told.get(job)?.[Number(n)]
      if (!step) return
      changed.delete(answer)
      res.end(JSON.stringify(step))
    }
    changed.add(answer)
    answer()
  }, '')
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-langgraph-'))
  for (const name of ['graph.mjs', 'server.mjs']) copyFileSync(new URL(`./langgraph/${name}`, import.meta.url), join(folder, name))
  symlinkSync(join(langGraph.find() ?? '', 'node_modules'), join(folder, 'node_modules'))
  const port = await freePort()
  const env = { ...process.env, CONTROL_URL: control.url }
  const child: ChildProcess = spawn(process.execPath, ['server.mjs', `${port}`], { cwd: folder, env, stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  const post = async (path: string, body: unknown): Promise<Record<string, string>> => {
    const response = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    expect(response.ok, `${path}: ${response.status}`).toBe(true)
    return (await response.json()) as Record<string, string> // as: the answers of LangGraph's server
  }
  await vi.waitFor(async () => expect((await fetch(`${url}/ok`)).ok).toBe(true), { timeout: 60_000, interval: 50 })
  const run: LangGraphServer['run'] = async (options = {}) => {
    const job = `job-${told.size + 1}`
    told.set(job, [])
    const { thread_id: thread } = await post('/threads', {})
    const given = { assistant_id: 'job', input: { job }, stream_mode: ['updates', 'custom'], stream_resumable: true, on_disconnect: 'continue', ...options }
    const { run_id: run } = await post(`/threads/${thread}/runs`, given)
    return {
      id: `${thread}/${run}`,
      tell(step) {
        told.get(job)?.push(step)
        for (const each of [...changed]) each()
      }
    }
  }

  /** Reads the run's whole stream. The run has to be over: its answer ends then. */
  async function record(id: string): Promise<number[]> {
    const [thread, run] = id.split('/')
    const answer = await fetch(`${url}/threads/${thread}/runs/${run}/stream?cancel_on_disconnect=0`, { headers: { 'last-event-id': '-1' } })
    return [...(await answer.text()).matchAll(/^data: \{"step":(\d+)\}$/gm)].map(([, step]) => Number(step))
  }

  return {
    url,
    run,
    async job() {
      const { id, tell } = await run()
      return { id, step: (step) => tell({ write: { step } }), end: () => tell({ end: 'done' }), record: () => record(id) }
    },
    async close() {
      const exited = once(child, 'exit')
      if (child.exitCode === null && child.kill('SIGKILL')) await exited
      await control.close()
      rmSync(folder, { recursive: true })
    }
  }
}
