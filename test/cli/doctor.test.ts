/** `jobtail doctor`, through real proxies that do each of what it finds. */

import http, { type RequestListener } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { forwardSetups } from '../../bench/proxies/forward.ts'
import { reverseSetups } from '../../bench/proxies/reverse.ts'
import type { Setup } from '../../bench/proxies/setups.ts'
import type { DoctorReport } from '../../src/cli/doctor/index.ts'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import type { JobServer } from '../../src/server/types.ts'
import { openProxy } from '../server/deploy/open-proxy.ts'
import { findProxy, type ProxyName } from '../setup/proxies.ts'
import { jobtail } from './command.ts'
import { listen, type OnFinished } from './kit.ts'

const TEST_MS = 60_000
const EVENT_MS = 200

interface Origin {
  jobs: JobServer
  base: string
  port: number
}

/** A server with a job that is given an event every 200 ms, or is quiet. */
async function origin(onFinished: OnFinished, options: JobServerOptions = {}, isQuiet = false): Promise<Origin> {
  const jobs = createJobServer({ heartbeatMs: 1000, onError: () => {}, authorize: () => ({ allow: true, subject: 'anybody' }), ...options })
  const base = await listen(http.createServer(), onFinished, (server) => jobs.attach(server))
  onFinished(() => jobs.close({ graceMs: 100 }))
  await jobs.publish('42', 'started')
  if (!isQuiet) {
    const timer = setInterval(() => void jobs.publish('42', 'output', 'x'), EVENT_MS)
    onFinished(() => clearInterval(timer))
  }
  return { jobs, base, port: Number(new URL(base).port) }
}

async function through(proxy: ProxyName, label: string, { port }: Origin, onFinished: OnFinished): Promise<string> {
  const setup = [...reverseSetups, ...forwardSetups].find((each: Setup) => each.proxy === proxy && each.label === label)
  if (!setup) throw new Error(`no setup ${proxy} ${label}`)
  const { origin, close } = await openProxy(proxy, (at, folder) => setup.configure({ port: at, upstream: port, folder }))
  onFinished(close)
  return origin
}

/** What was found at each reading. */
function foundIn({ findings }: DoctorReport): Record<string, string> {
  return Object.fromEntries(findings.map(({ id, readings }) => [id, readings.join()]))
}
const outcomesIn = ({ verdicts }: DoctorReport): Record<string, string> => Object.fromEntries(verdicts.map(({ reading, outcome }) => [reading, outcome]))

const ALL = { websocket: 'passes', sse: 'passes', ndjson: 'passes', 'long-poll': 'passes', 'short-poll': 'passes' }

async function examine(url: string, more: readonly string[] = [], env: Record<string, string> = {}): Promise<{ code: number | null; report: DoctorReport }> {
  const { code, out, err } = await jobtail(['doctor', url, '--json', '--watch', '4', ...more], { env })
  if (!out) throw new Error(err)
  return { code, report: JSON.parse(out) }
}

describe('without anybody in between', { timeout: TEST_MS, concurrent: true }, () => {
  test('every reading gets through, and nothing is to change', async ({ onTestFinished }) => {
    const { base } = await origin(onTestFinished)
    const { code, out, err } = await jobtail(['doctor', `${base}/42`, '--watch', '3'])
    expect({ code, err }).toEqual({ code: 0, err: 'jobtail: following job 42 by every reading for up to 3.0 s…\n' })
    expect(out.split('\n').slice(1)).toEqual([
      'Job 42 is running; a heartbeat each 1.0 s; watched for up to 3.0 s.',
      'In between, as far as answers tell: nobody.',
      '',
      expect.stringMatching(/^✓ websocket {2}first frame after .*, then \d+ events$/),
      expect.stringMatching(/^✓ sse {8}first frame/),
      expect.stringMatching(/^✓ ndjson {5}first frame/),
      expect.stringMatching(/^✓ long-poll {2}asked to wait for 1\.0 s, answered after/),
      expect.stringMatching(/^✓ short-poll answered after/),
      '',
      'Nothing is refused, held back, cut or changed.',
      ''
    ])
  })

  test('starts a job where it is told to, and cancels it', async ({ onTestFinished }) => {
    const { base, jobs } = await origin(onTestFinished, {
      start: (job) => new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason)))
    })
    const { code, report } = await examine(base, ['--start', '--data', '{"a":1}', '--watch', '2'])
    expect({ code, status: report.status }).toEqual({ code: 0, status: 'running' })
    await vi.waitFor(() => expect(jobs.metrics().outcomes.cancelled).toBe(1))
  })

  test('a job that has ended, and one that is not known', async ({ onTestFinished }) => {
    const { base, jobs } = await origin(onTestFinished)
    await jobs.publish('done', 'succeeded')
    const ended = await jobtail(['doctor', `${base}/done`])
    expect(ended).toMatchObject({ code: 0, out: expect.stringContaining('The job has ended') })
    expect(await jobtail(['doctor', `${base}/none`])).toMatchObject({ code: 69, err: expect.stringContaining('404 application/problem+json (unknown-job)') })
    expect(await jobtail(['doctor', 'http://127.0.0.1:9/jobs/1'])).toMatchObject({ code: 69, err: expect.stringContaining('ECONNREFUSED') })
  })

  test.for<[what: string, listener: RequestListener, scheme: string, said: string]>([
    ['redirects', (_, res) => res.writeHead(302, { location: '/login' }).end(), 'http', 'got 302 to /login'],
    ['has other JSON', (_, res) => res.writeHead(200, { 'content-type': 'application/json' }).end('[1]'), 'http', 'got 200 application/json'],
    ['has a page', (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'), 'http', 'got 200 text/html'],
    ['speaks http:', (_, res) => res.end(), 'https', 'got EPROTO: the server may speak http:, not https:']
  ])('a server that %s', async ([, listener, scheme, said], { onTestFinished }) => {
    const base = await listen(
      http.createServer((req, res) => void listener(req, res)),
      onTestFinished
    )
    expect(await jobtail(['doctor', `${base.replace('http', scheme)}/1`])).toMatchObject({ code: 69, out: '', err: expect.stringContaining(said) })
  })

  test('Ctrl-C ends it', async ({ onTestFinished }) => {
    const { base, jobs } = await origin(onTestFinished)
    const running = jobtail(['doctor', `${base}/42`])
    await vi.waitFor(() => expect(jobs.metrics().connections.ndjson).toBe(1))
    running.interrupt()
    expect(await running).toMatchObject({ code: 130, out: '' })
    await vi.waitFor(() => expect(Object.values(jobs.metrics().connections).some((count) => count > 0)).toBe(false))
  })
})

describe('through nginx', { timeout: TEST_MS, concurrent: true, skip: !findProxy('nginx') }, () => {
  test('with its defaults: no WebSocket, and the directives for it', async ({ onTestFinished }) => {
    const url = `${await through('nginx', '', await origin(onTestFinished), onTestFinished)}/jobs/42`
    const { code, report } = await examine(url)
    expect({ code, outcomes: outcomesIn(report), found: foundIn(report) }).toEqual({
      code: 1,
      outcomes: { ...ALL, websocket: 'refused' },
      found: { upgrade: 'websocket' }
    })
    expect(report.between).toEqual([
      { name: expect.stringMatching(/^nginx\//), told: 'server' },
      { name: 'nginx', told: 'X-Accel-Buffering is gone' }
    ])
    expect(report.findings[0]).toMatchObject({
      seen: ['websocket: an answer with 200 in place of 101'],
      means: expect.stringContaining('carries jobs by sse here'),
      directives: [expect.stringMatching(/^nginx: proxy_http_version 1\.1; proxy_set_header Upgrade/)]
    })
  })

  test('that does not pass Host on: pages are strangers', async ({ onTestFinished }) => {
    const url = `${await through('nginx', 'Upgrade map', await origin(onTestFinished), onTestFinished)}/jobs/42`
    const { report } = await examine(url)
    expect(foundIn(report)).toEqual({ host: 'websocket' })
    expect(report.findings[0]?.directives).toEqual(['nginx: proxy_set_header Host $http_host;'])
  })

  test('as in the documents: nothing is to change', async ({ onTestFinished }) => {
    const url = `${await through('nginx', 'Upgrade map and Host', await origin(onTestFinished), onTestFinished)}/jobs/42`
    expect(await examine(url)).toMatchObject({ code: 0, report: { findings: [] } })
  })

  test('that buffers: what was late, and by how much', async ({ onTestFinished }) => {
    const url = `${await through('nginx', 'ignores X-Accel-Buffering', await origin(onTestFinished), onTestFinished)}/jobs/42`
    const { report } = await examine(url)
    expect(outcomesIn(report)).toEqual({ ...ALL, websocket: 'refused', sse: 'held back', ndjson: 'held back' })
    expect(foundIn(report)).toEqual({ upgrade: 'websocket', 'held-back': 'sse,ndjson' })
    expect(report.findings[1]).toMatchObject({
      means: expect.stringContaining('carries jobs by long-poll here'),
      directives: [expect.stringContaining('nginx: proxy_buffering off;')]
    })
  })

  test('that compresses event streams', async ({ onTestFinished }) => {
    const url = `${await through('nginx', 'gzip', await origin(onTestFinished), onTestFinished)}/jobs/42`
    const { report } = await examine(url)
    expect(report.findings.find(({ id }) => id === 'compressed')).toMatchObject({
      readings: ['sse'],
      seen: ['sse: Content-Encoding: gzip'],
      directives: [expect.stringContaining('nginx: take text/event-stream')]
    })
  })

  test('with a short read timeout: what is cut, and after how long a silence', async ({ onTestFinished }) => {
    const url = `${await through('nginx', 'read timeout 2 s', await origin(onTestFinished, { heartbeatMs: 10_000 }, true), onTestFinished)}/jobs/42`
    const { report } = await examine(url, ['--watch', '8'])
    expect(outcomesIn(report)).toEqual({ ...ALL, websocket: 'refused', sse: 'cut', ndjson: 'cut', 'long-poll': 'cut' })
    const cut = report.findings.find(({ id }) => id === 'cut')
    expect(cut).toMatchObject({ readings: ['sse', 'ndjson', 'long-poll'], directives: ['nginx: proxy_read_timeout 60s;'] })
    expect(cut?.seen).toEqual([
      expect.stringMatching(/^sse: .* after 2\.\d s, 2\.\d s after its last byte; the job goes on$/),
      expect.stringMatching(/^ndjson: .* after 2\.\d s/),
      expect.stringMatching(/^long-poll: asked to wait for 4\.0 s: 504 text\/html .* after 2\.\d s$/)
    ])
  })
})

describe('through HAProxy', { timeout: TEST_MS, concurrent: true, skip: !findProxy('haproxy') }, () => {
  test('with short timeouts: every stream is cut, and all directives are named, since nothing tells who it is', async ({ onTestFinished }) => {
    const url = `${await through('haproxy', 'timeouts 2 s', await origin(onTestFinished, { heartbeatMs: 10_000 }, true), onTestFinished)}/jobs/42`
    const { report } = await examine(url, ['--watch', '8'])
    expect(outcomesIn(report)).toEqual({ ...ALL, websocket: 'cut', sse: 'cut', ndjson: 'cut', 'long-poll': 'cut' })
    expect(report.between).toEqual([])
    expect(report.findings[0]?.directives).toContain('HAProxy: timeout client 60s, timeout server 60s, timeout tunnel 1h')
    expect(report.findings[0]?.means).toContain('carries jobs by short-poll here')
  })
})

describe('through squid', { timeout: TEST_MS, concurrent: true, skip: !findProxy('squid') }, () => {
  test('which tunnels to port 443 only: no WebSocket', async ({ onTestFinished }) => {
    const server = await origin(onTestFinished)
    const HTTP_PROXY = await through('squid', '', server, onTestFinished)
    const { report } = await examine(`${server.base}/42`, [], { HTTP_PROXY })
    expect(report).toMatchObject({ proxy: new URL(HTTP_PROXY).host, between: [{ name: expect.stringContaining('squid'), told: 'via' }] })
    expect(outcomesIn(report)).toEqual({ ...ALL, websocket: 'refused' })
    expect(report.findings[0]?.change).toContain('CONNECT')
  })
})

describe('through tinyproxy', { timeout: TEST_MS, concurrent: true, skip: !findProxy('tinyproxy') }, () => {
  test('every reading gets through', async ({ onTestFinished }) => {
    const server = await origin(onTestFinished)
    const HTTP_PROXY = await through('tinyproxy', '', server, onTestFinished)
    const { report } = await examine(`${server.base}/42`, [], { HTTP_PROXY })
    expect(outcomesIn(report)).toEqual(ALL)
    expect(report.between).toEqual([{ name: expect.stringContaining('tinyproxy'), told: 'via' }])
  })
})
