/** The servers in Python and Go do what the protocol says, as `jobtail check` sees it, and the client follows their jobs. */

import { spawnSync } from 'node:child_process'
import { describe, expect, test, vi } from 'vitest'
import { check } from '../../src/cli/check/index.ts'
import { createClient, longPoll, sse } from '../../src/index.ts'
import { freePort } from '../server/redis-server.ts'
import { findToolchain } from '../setup/toolchains.ts'
import { answers, copyFolder, type OnFinished, startCommand } from './example.ts'
import { startRelay } from './relay.ts'

const TEST_MS = 120_000
const EVENTUALLY = { timeout: 30_000 }
const TOKEN = 'ada-token'
const OFFERED = ['log', 'sse', 'long-poll', 'short-poll', 'resources']
const ONE_JOB = 'a connection of this server carries one job'
const NO_WINDOW = 'the server does not know ?window: as much came as without it'
const NO_ORIGIN = 'no other origin was named with --origin'

/** The command that starts it in its folder. Go's is built first, so that a signal reaches the server and no `go run`. */
const commands = {
  python: (python: string): string => `exec ${python} -W error server.py`,
  go(go: string, cwd: string): string {
    for (const args of [
      ['vet', '.'],
      ['build', '-o', 'server', '.']
    ]) {
      const { status, stderr } = spawnSync(go, args, { cwd, encoding: 'utf8' })
      expect(status, stderr).toBe(0)
    }
    return 'exec ./server'
  }
}

async function start(language: 'python' | 'go', toolchain: string, onFinished: OnFinished) {
  const folder = copyFolder(language, onFinished)
  const port = await freePort()
  const command = startCommand(commands[language](toolchain, folder), folder, onFinished, { PORT: String(port) })
  const url = `http://127.0.0.1:${port}/jobs`
  await answers(url, command)
  const clientOf = (options: Parameters<typeof createClient>[0] = {}) => {
    const client = createClient({ url, token: TOKEN, memory: false, ...options })
    onFinished(() => client.close())
    return client
  }
  return { ...command, port, url, clientOf }
}

describe.each(['python', 'go'] as const)('%s', { timeout: TEST_MS, concurrent: true }, (language) => {
  const toolchain = findToolchain(language)
  const own = (name: string, body: (server: Awaited<ReturnType<typeof start>>, onFinished: OnFinished) => Promise<void>) =>
    test(name, { skip: toolchain === undefined }, async ({ onTestFinished }) => body(await start(language, toolchain ?? '', onTestFinished), onTestFinished))

  own('meets every clause of what it offers', async ({ url, clientOf }) => {
    const client = clientOf()
    const done = await client.start({ title: 'a "quoted" <ü>', pages: 1200, msPerPage: 0 })
    const [running, live] = await Promise.all([60_000, 250].map((msPerPage) => client.start({ title: 'Long', pages: 1000, msPerPage })))
    await done.result
    const { results } = await check({
      base: new URL(url),
      token: TOKEN,
      job: done.jobId,
      running: running?.jobId,
      cancellable: live?.jobId,
      input: '{"title":"checked","pages":3}',
      limitMs: 20_000
    })
    expect(results.filter(({ outcome }) => outcome === 'finding')).toEqual([])
    const leftOut = results.flatMap((each) => (each.outcome === 'left out' && OFFERED.includes(each.group) ? [[each.id, each.reason]] : []))
    expect(Object.fromEntries(leftOut)).toEqual({
      'sse-several': ONE_JOB,
      'json-several': ONE_JOB,
      'json-several-refused': ONE_JOB,
      'sse-window': NO_WINDOW,
      'json-window': NO_WINDOW,
      'json-etag': 'the server sends no ETag',
      'cors-read': NO_ORIGIN,
      'cors-preflight': NO_ORIGIN,
      ...Object.fromEntries(['answers', 'order', 'end', 'after', 'window', 'unknown'].map((id) => [`ndjson-${id}`, 'the server offers no NDJSON']))
    })
  })

  own('lets users start, follow and cancel their own jobs', async ({ url, clientOf }) => {
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
    const [ada, bob] = [clientOf(), clientOf({ token: 'bob-token' })]
    const job = await ada.start({ title: 'Sales', pages: 3, msPerPage: 20 })
    const seen: unknown[] = []
    for await (const { type, data } of job) seen.push(type === 'progress' ? data.current : type)
    expect(seen).toEqual(['queued', 'started', 1, 2, 3, 'succeeded'])
    expect(await job.result).toEqual({ url: `/reports/${job.jobId}.pdf` })
    await expect(bob.subscribe(job.jobId).result).rejects.toMatchObject({ code: 'forbidden' })
    await expect((await ada.start({ title: 'No pages' })).result).rejects.toMatchObject({ code: 'bad-input', message: /^pages: expected/ })
    const long = await ada.start({ title: 'Long', pages: 1000, msPerPage: 60_000 })
    await long.cancel()
    await expect(long.result).rejects.toMatchObject({ code: 'cancelled' })
  })

  own('lets a running job end when it is told to stop', async ({ clientOf, terminate, said }) => {
    const job = await clientOf({ transports: [sse()] }).start({ title: 'Last', pages: 5, msPerPage: 100 })
    let code: Promise<number | null> | undefined
    for await (const { type } of job) if (type === 'progress') code ??= terminate()
    expect(await job.result).toEqual({ url: `/reports/${job.jobId}.pdf` })
    expect(await code, said()).toBe(0)
    expect(said()).toBe('')
  })

  own('answers sixty polls that come at once', async ({ url, clientOf }) => {
    const { jobId } = await clientOf().start({ title: 'Quiet', pages: 1, msPerPage: 60_000 })
    const headers = { authorization: `Bearer ${TOKEN}` }
    for (let round = 0; round < 3; round++) {
      const polls = Array.from({ length: 60 }, async () => (await fetch(`${url}/${jobId}/events?after=tail&wait=1`, { headers })).status)
      expect(new Set(await Promise.all(polls))).toEqual(new Set([200]))
    }
  })

  // A stream is one request; of long polls the first is answered with what there is, and the second is held.
  for (const [transport, held] of [
    [sse(), 1],
    [longPoll(), 2]
  ] as const)
    own(`is followed to the end by ${transport.name}, through a connection that is cut`, async ({ port, clientOf }, onFinished) => {
      const relay = await startRelay(port, onFinished)
      const { jobId } = await clientOf().start({ title: 'Cut', pages: 4, msPerPage: 1000 })
      const job = clientOf({ url: relay.base, transports: [transport] }).subscribe(jobId)
      const seen: unknown[] = []
      let before: number | undefined
      for await (const { seq, type } of job) {
        seen.push(seq)
        if (type !== 'started') continue
        await vi.waitFor(() => expect(relay.requests()).toBeGreaterThanOrEqual(held), EVENTUALLY)
        before = relay.requests()
        relay.cut()
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7])
      expect(relay.requests()).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY)
      // A reader at the end has the outcome of the snapshot.
      const { lastEventId = '' } = job.state
      await expect(clientOf().subscribe(jobId, { after: lastEventId }).result).resolves.toEqual({ url: `/reports/${jobId}.pdf` })
    })
})
