/** The servers of examples/ do what the protocol says, as `jobtail check` sees it, and the client follows their jobs. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { check } from '../../src/cli/check/index.ts'
import { createClient, longPoll, sse } from '../../src/index.ts'
import type { OnFinished } from '../cli/kit.ts'
import { freePort } from '../server/redis-server.ts'
import { findToolchain } from '../setup/toolchains.ts'

const examples = join(import.meta.dirname, '../../examples')
const files = { python: 'python/server.py', go: 'go/main.go' }
const TEST_MS = 240_000
const STARTED_MS = 30_000
/** Five rounds of a second each. What finds the server's queue full tries again after 1, 3, 7, 15 and 31 s. */
const BURST_MS = 30_000
const OFFERED = ['log', 'sse', 'long-poll', 'short-poll']
const ONE_JOB = 'a connection of this server carries one job'
const NO_WINDOW = 'the server does not know ?window: as much came as without it'

/** The command that starts it; what Go builds is gone after the test. */
const commands = {
  python: (python: string): string[] => [python, join(examples, files.python)],
  go(go: string, onFinished: OnFinished): string[] {
    const folder = mkdtempSync(join(tmpdir(), 'jobtail-go-'))
    onFinished(() => rmSync(folder, { recursive: true, force: true }))
    const { status, stderr } = spawnSync(go, ['build', '-o', join(folder, 'server'), join(examples, files.go)], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    return [join(folder, 'server')]
  }
}

for (const language of ['python', 'go'] as const) {
  const toolchain = findToolchain(language)
  test(`${language} meets every clause of what it offers`, { timeout: TEST_MS, concurrent: true, skip: toolchain === undefined }, async ({
    onTestFinished
  }) => {
    const { base, publish } = await start(commands[language](toolchain ?? '', onTestFinished), onTestFinished)
    for (const [type, data] of [
      ['queued', {}],
      ['started', {}],
      ['progress', { ratio: 0.5, message: 'a "quoted" <ü>' }],
      ['output', [1, null]]
    ] as const)
      publish('done', type, data)
    for (let current = 1; current <= 1200; current++) publish('done', 'progress', { current, total: 1200 })
    publish('done', 'succeeded', { url: '/1' })
    publish('running', 'started', {})
    publish('live', 'started', {})
    await vi.waitFor(async () => expect((await fetch(`${base}/live`)).status).toBe(200), STARTED_MS)
    const working = setInterval(() => publish('live', 'progress', {}), 250)
    onTestFinished(() => clearInterval(working))

    const { results } = await check({ base, job: 'done', running: 'running', cancellable: 'live', limitMs: 20_000 })
    expect(results.filter(({ outcome }) => outcome === 'finding')).toEqual([])
    const leftOut = results.flatMap((each) => (each.outcome === 'left out' && OFFERED.includes(each.group) ? [[each.id, each.reason]] : []))
    expect(Object.fromEntries(leftOut)).toEqual({
      'sse-several': ONE_JOB,
      'json-several': ONE_JOB,
      'json-several-refused': ONE_JOB,
      'sse-window': NO_WINDOW,
      'json-window': NO_WINDOW,
      'json-etag': 'the server sends no ETag',
      ...Object.fromEntries(['answers', 'order', 'end', 'after', 'window', 'unknown'].map((id) => [`ndjson-${id}`, 'the server offers no NDJSON']))
    })
  })

  test(`${language} answers sixty polls that come at once`, { timeout: BURST_MS, skip: toolchain === undefined }, async ({ onTestFinished }) => {
    const { base, publish } = await start(commands[language](toolchain ?? '', onTestFinished), onTestFinished)
    publish('42', 'started', {})
    await vi.waitFor(async () => expect((await fetch(`${base}/42`)).status).toBe(200), STARTED_MS)
    for (let round = 0; round < 5; round++) {
      const polls = Array.from({ length: 60 }, async () => (await fetch(`${base}/42/events?after=tail&wait=1`)).status)
      expect(new Set(await Promise.all(polls))).toEqual(new Set([200]))
    }
  })

  // A stream is one request; of long polls the first is answered with what there is, and the second is held.
  for (const [transport, held] of [
    [sse(), 1],
    [longPoll(), 2]
  ] as const)
    test(`a job of ${language} is followed to its end by ${transport.name}, through a connection that is cut`, {
      timeout: TEST_MS,
      concurrent: true,
      skip: toolchain === undefined
    }, async ({ onTestFinished }) => {
      const { base, publish } = await start(commands[language](toolchain ?? '', onTestFinished), onTestFinished)
      publish('42', 'started', {})
      await vi.waitFor(async () => expect((await fetch(`${base}/42`)).status).toBe(200), STARTED_MS)
      const relay = await startRelay(Number(base.port), onTestFinished)
      const client = createClient({ url: relay.base, transports: [transport], memory: false })
      onTestFinished(() => client.close())

      const job = client.subscribe('42')
      const seen: string[] = []
      let before = 0
      for await (const { type } of job) {
        seen.push(type)
        if (type === 'started') {
          await vi.waitFor(() => expect(relay.requests()).toBeGreaterThanOrEqual(held), STARTED_MS)
          before = relay.requests()
          relay.cut()
          publish('42', 'progress', { ratio: 0.5 })
        }
        if (type === 'progress') publish('42', 'succeeded', { url: '/report.pdf' })
      }
      expect(seen).toEqual(['started', 'progress', 'succeeded'])
      expect(relay.requests()).toBeGreaterThan(before)
      const { lastEventId = '' } = job.state
      // A reader at the end has the outcome of the snapshot.
      await expect(client.subscribe('42', { after: lastEventId }).result).resolves.toEqual({ url: '/report.pdf' })
    })
}

/** Stands before a server, and cuts the connections to it. */
async function startRelay(port: number, onFinished: OnFinished): Promise<{ base: string; requests(): number; cut(): void }> {
  const nears = new Set<Socket>()
  let requests = 0
  const relay = createServer((near) => {
    nears.add(near)
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      from.pipe(to)
      from.on('error', () => {}) // 'close' follows
      from.on('close', () => to.destroy())
    }
    near.on('data', () => {
      requests += 1 // small ones without a body come in one piece
    })
    near.on('close', () => nears.delete(near))
  })
  const cut = (): void => {
    for (const near of nears) near.destroy()
  }
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  onFinished(() => {
    relay.close()
    cut()
  })
  // as: it listens on TCP
  return { base: `http://127.0.0.1:${(relay.address() as AddressInfo).port}/jobs`, requests: () => requests, cut }
}

async function start(
  [command = '', ...args]: string[],
  onFinished: OnFinished
): Promise<{ base: URL; publish(job: string, type: string, data: unknown): void }> {
  const port = await freePort()
  const server = spawn(command, [...args, String(port)], { stdio: ['pipe', 'ignore', 'ignore'] })
  onFinished(async () => {
    server.kill('SIGKILL')
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
  })
  return {
    base: new URL(`http://127.0.0.1:${port}/jobs`),
    publish: (job, type, data) => server.stdin.write(`${job} ${type} ${JSON.stringify(data)}\n`)
  }
}
