/** The server kit's jobs without the client: followed by a bare EventSource and by curl, as the documentation shows. */

import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { Browser } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import type { WireEvent } from '../src/protocol/frames.ts'
import { createJobServer, type JobServer } from '../src/server/index.ts'
import { browserNames, isInstalled, launchBrowser } from './browsers.ts'

let jobs: JobServer
let server: http.Server
let origin: string

beforeEach(async () => {
  jobs = createJobServer()
  server = http.createServer((req, res) => {
    if (!req.url?.startsWith('/jobs')) res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>bare</title>')
  })
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on a port
})

afterEach(async () => {
  await jobs.close({ graceMs: 0 })
  server.closeAllConnections()
  server.close()
})

const seqs = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

/** A job of five events. The last two are appended once `reading` resolves. */
async function runJob(reading: Promise<unknown>): Promise<void> {
  await jobs.publish('42', 'started', {})
  await jobs.publish('42', 'progress', { ratio: 0.5 })
  await jobs.publish('42', 'log', { level: 'info', message: 'höher' })
  await reading
  await jobs.publish('42', 'output', ['\u2028'])
  await jobs.publish('42', 'succeeded', { url: '/report.pdf' })
}

describe.each(browserNames.filter(isInstalled))('a bare EventSource in %s', (name) => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser(name)
  })
  afterAll(() => browser.close())

  it('follows a job to its end, over a lost connection, and stops by itself', async () => {
    const page = await browser.newPage()
    await page.goto(origin)
    // The connection is cut in the middle. An EventSource reconnects by itself, with its last event id.
    const cut = once(server, 'request').then(() => server.closeAllConnections())
    const run = runJob(cut)
    const received = await page.evaluate(async (): Promise<string[]> => {
      const data: string[] = []
      const source = new EventSource('/jobs/42/events')
      await new Promise<void>((resolve) => {
        source.onmessage = (event) => data.push(event.data)
        // After the end it reconnects once more from its last event id. The answer 204 makes it stop.
        source.onerror = () => {
          if (source.readyState === EventSource.CLOSED) resolve()
        }
      })
      return data
    })
    await run
    const events = received.map((text): WireEvent => JSON.parse(text))
    expect(events.map(({ seq }) => seq)).toEqual(seqs(5))
    expect(events.at(-1)).toMatchObject({ type: 'succeeded', data: { url: '/report.pdf' } })
  })
})

describe.skipIf(spawnSync('curl', ['--version']).error)('curl', () => {
  const curl = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('curl', ['--silent', '--show-error', '--max-time', '20', ...args])).stdout

  test('-N follows a job to its end', async () => {
    const connected = once(server, 'request')
    const run = runJob(connected)
    const output = await curl('-N', '-H', 'Accept: text/event-stream', `${origin}/jobs/42/events`)
    await run
    const events = [...output.matchAll(/^id: .*\ndata: ([^\n]*)$/gm)].map(([, data = '']): WireEvent => JSON.parse(data))
    expect(events.map(({ seq }) => seq)).toEqual(seqs(5))
  })

  test('reads JSON from a cursor on, and waits for what is next', async () => {
    const { id } = await jobs.publish('42', 'started', {})
    const connected = once(server, 'request')
    const answer = curl(`${origin}/jobs/42/events?after=${id}&wait=20`)
    await connected
    await jobs.publish('42', 'progress', { ratio: 0.5 })
    expect(JSON.parse(await answer)).toMatchObject({
      protocol: 1,
      jobs: [{ job: '42', seq: 1, from: id, done: false }],
      events: [{ seq: 2, type: 'progress' }]
    })
  })
})
