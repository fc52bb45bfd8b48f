/** What runs the programs of the guides that are servers or tests, each in a process and a folder of its own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, vi } from 'vitest'
import { createClient } from '../../src/index.ts'
import { freePort, redisPath, startRedis } from '../server/redis-server.ts'
import type { Block } from './blocks.ts'
import { read } from './documents.ts'

const root = join(import.meta.dirname, '../..')
const ENTRIES: Readonly<Record<string, string>> = {
  jobtail: 'index',
  'jobtail/server': 'server/index',
  'jobtail/server/bullmq': 'server/bullmq/index',
  'jobtail/server/fetch': 'server/fetch',
  'jobtail/server/redis': 'server/redis/index'
}
const sourceOf = (entry: string): string => pathToFileURL(join(root, 'src', `${ENTRIES[entry] ?? entry}.ts`)).href

/** A folder with these files, whose imports of `jobtail` are its source. Everything started in it ends with it. */
export async function createProject(files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-guide-'))
  const children: ChildProcess[] = []
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [name, text] of Object.entries(files))
    await writeFile(
      join(folder, name),
      text.replace(/from '(jobtail[\w/]*)'/g, (_, entry: string) => `from '${sourceOf(entry)}'`)
    )
  return {
    folder,
    start(file: string, env: Readonly<Record<string, string>>): ChildProcess {
      const child = spawn(process.execPath, [file], { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] })
      children.push(child)
      return child
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const child of children) {
        child.kill('SIGKILL')
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Until a program is there, it is asked for often. */
const retry = { baseMs: 20, maxMs: 200 }

export const textOf = ({ code }: Pick<Block, 'code'>): string => code.map(({ text }) => text).join('\n')

/** The block of a document that begins by naming its file. */
function fileOf(document: string, name: string): string {
  const found = read(document).blocks.find(({ code }) => code[0]?.text === `// ${name}`)
  if (!found) throw new Error(`${document} has no block that begins with "// ${name}"`)
  return textOf(found)
}

async function deploying(block: Block): Promise<void> {
  await using project = await createProject({ 'server.js': textOf(block) })
  const [port, admin] = [await freePort(), await freePort()]
  const server = project.start('server.js', { PORT: `${port}`, ADMIN_PORT: `${admin}` })
  using client = createClient({ url: `http://127.0.0.1:${port}/jobs`, memory: false, retry })
  const job = await client.start({}) // repeated until the server is there
  for await (const { type } of job) {
    if (type !== 'started') continue
    expect(await health(admin)).toEqual({ status: 200, text: 'ok' })
    expect(await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()).toContain('jobtail_jobs_running 1')
    server.kill('SIGTERM')
    await vi.waitFor(async () => expect(await health(admin)).toEqual({ status: 503, text: 'closing' }), { interval: 20 })
  }
  expect(await job.result).toBe('done')
  if (server.exitCode === null) await once(server, 'exit')
  expect(server.exitCode).toBe(0)
}

async function health(port: number): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/health`)
  return { status: response.status, text: await response.text() }
}

/** The server of the guide, and its worker, which adds the job as well. */
async function bullmq({ document }: Block): Promise<void> {
  if (!redisPath) return
  const redis = await startRedis(['--maxmemory-policy', 'noeviction'])
  try {
    await using project = await createProject({ 'server.js': fileOf(document, 'server.js'), 'worker.js': fileOf(document, 'worker.js') })
    const port = await freePort()
    const env = { REDIS_URL: redis.url, PORT: `${port}` }
    const server = project.start('server.js', env)
    project.start('worker.js', env)
    using client = createClient({ url: `http://127.0.0.1:${port}/jobs`, memory: false, retry, unknownJobGraceMs: 20_000 })
    const seen: string[] = []
    const job = client.subscribe('video-7')
    for await (const { type } of job) seen.push(type)
    expect([...new Set(seen)]).toEqual(['queued', 'started', 'progress', 'succeeded'])
    expect(await job.result).toEqual({ url: '/videos/video-7.mp4' })
    server.kill('SIGTERM')
    if (server.exitCode === null) await once(server, 'exit')
    expect(server.exitCode).toBe(0)
  } finally {
    await redis.remove()
  }
}

async function inVitest(block: Block): Promise<void> {
  await using project = await createProject({ 'job.test.ts': textOf(block), 'vitest.config.js': 'export default {}' })
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, 'run', '--reporter', 'tap-flat'], { cwd: project.folder, timeout: 100_000 })
  expect(stdout.match(/^(not )?ok .*/gm)).toEqual([expect.stringMatching(/^ok 1 - .*a job that fails/)])
}

export const guidePrograms = { 'deploying-server': deploying, bullmq, 'testing-in-process': inVitest }
