/** nchan and plainSse with a third-party server: Nchan, an nginx module. Skipped if this machine doesn't have it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { nchan as nchanBackend, plainSse } from '../../src/backends.ts'
import { createClient } from '../../src/index.ts'
import type { BackendUnderTest } from '../../src/testing/backend/types.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { Backend, JobEvent } from '../../src/types.ts'
import { freePort } from '../server/redis-server.ts'
import { NCHAN_MODULE, nchan } from '../setup/peers.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { only } from './transports.ts'

const nginx = nchan.find()

const configuration = (port: number): string => `load_module ${NCHAN_MODULE};
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    location ~ ^/pub/([\\w-]+)$ { nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 100; }
    location ~ ^/sub/([\\w-]+)$ { nchan_subscriber; nchan_channel_id $1; nchan_subscriber_first_message oldest; nchan_eventsource_ping_interval 1; }
    location ~ ^/interval/([\\w-]+)$ { nchan_subscriber interval-poll; nchan_channel_id $1; nchan_subscriber_first_message oldest; }
    location ~ ^/short/([\\w-]+)$ { nchan_subscriber; nchan_channel_id $1; nchan_subscriber_first_message oldest; nchan_subscriber_timeout 1; }
    location ~ ^/few/([\\w-]+)$ { nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 3; }
  }
}
`

describe.skipIf(!nginx)('Nchan', () => {
  let folder = ''
  let child: ChildProcess
  let base = ''
  let jobs = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jobtail-nchan-'))
    const port = await freePort()
    base = `http://127.0.0.1:${port}`
    writeFileSync(join(folder, 'nginx.conf'), configuration(port))
    child = spawn(nginx ?? 'nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: 'ignore' })
    await vi.waitFor(async () => expect((await fetch(`${base}/pub/none`)).status).toBe(404), { timeout: 10_000 })
  })
  afterAll(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
    rmSync(folder, { recursive: true })
  })

  const publish = async (id: string, body: string): Promise<void> => {
    expect((await fetch(`${base}/pub/${id}`, { method: 'POST', body })).ok).toBe(true)
  }
  const under = (backend: Backend): BackendUnderTest => ({
    promises: 'log',
    client: ({ url, token }) => createClient({ backend, url, memory: false, retry: { baseMs: 10, maxMs: 50 }, ...(token && { token }) }),
    async serve() {
      return {
        url: `${base}/sub`,
        job() {
          const id = `job-${++jobs}`
          return { id, step: (step) => publish(id, JSON.stringify({ step })), end: () => publish(id, '[DONE]') }
        },
        close() {}
      }
    },
    stepOf: ({ type, data }) => (type === 'output' ? (data as { step: number }).step : undefined) // as: published above
  })
  const interval = (job: string): string => `/interval/${job}`

  describeBackend('plainSse, of Nchan', under(plainSse({ cursor: { parameter: 'last_event_id' } })))
  describeBackend('nchan, by event stream', under(only(nchanBackend(), 'sse')))
  describeBackend('nchan, by WebSocket, and where there is a token by event stream', under(only(nchanBackend(), 'websocket', 'sse')))
  describeBackend('nchan, by long polls', under(only(nchanBackend(), 'long-poll')))
  describeBackend('nchan, by polls', under(only(nchanBackend({ interval, intervalMs: 20 }), 'interval-poll')))

  describe.each(['websocket', 'sse', 'long-poll', 'interval-poll'])('by %s', (name) => {
    const reading = (options = {}) => only(nchanBackend({ interval, intervalMs: 20, ...options }), name)
    const steps = (events: readonly JobEvent[]): unknown[] => brief(events).map(([type, data]) => (data as { seq?: number } | null)?.seq ?? type) // as: published here
    const channel = (): string => `job-${++jobs}`

    test('messages of one second have cursors of their own', async () => {
      const id = channel()
      for (const seq of [1, 2, 3, 4]) await publish(id, JSON.stringify({ seq }))
      await publish(id, '[DONE]')
      const events = await eventsOf(reading(), `${base}/sub`, { job: id })
      expect(steps(events)).toEqual([1, 2, 3, 4, 'succeeded'])
      expect(steps(await eventsOf(reading(), `${base}/sub`, { job: id, after: events[1]?.id ?? '' }))).toEqual([3, 4, 'succeeded'])
    })

    test('dropped messages are a gap where the publisher numbers them, and are not noticed otherwise', async () => {
      const id = channel()
      const few = async (body: string) => expect((await fetch(`${base}/few/${id}`, { method: 'POST', body })).ok).toBe(true)
      for (const seq of [1, 2]) await few(JSON.stringify({ seq }))
      const seen: JobEvent[] = []
      for await (const event of clientOf(reading({ seqField: 'seq' }), `${base}/sub`).subscribe(id)) if (seen.push(event) === 2) break
      for (const seq of [3, 4, 5]) await few(JSON.stringify({ seq }))
      await few('[DONE]')
      const after = seen.at(-1)?.id ?? ''
      expect(steps(await eventsOf(reading({ seqField: 'seq' }), `${base}/sub`, { job: id, after }))).toEqual(['gap', 4, 5, 'succeeded'])
      expect(steps(await eventsOf(reading(), `${base}/sub`, { job: id, after }))).toEqual([4, 5, 'succeeded'])
    })
  })

  describe.each(['websocket', 'sse', 'long-poll'])('by %s', (name) => {
    test('the server’s time limit for a subscriber ends nothing', async () => {
      const id = `job-${++jobs}`
      await publish(id, '1')
      let ends = 0
      const job = clientOf(only(nchanBackend(), name), `${base}/short`, { onDiagnostic: ({ type }) => void (type === 'lost' && ends++) }).subscribe(id)
      const events: JobEvent[] = []
      const done = (async () => {
        for await (const event of job) events.push(event)
      })()
      await vi.waitFor(() => expect(events).toHaveLength(1), 5000)
      if (name === 'long-poll')
        await new Promise((resolve) => setTimeout(resolve, 1200)) // Nchan's time limit has passed by then; no event tells the end of a poll
      else await vi.waitFor(() => expect(ends).toBeGreaterThan(0), 5000)
      await publish(id, '[DONE]')
      await done
      expect(brief(events)).toEqual([
        ['output', 1],
        ['succeeded', null]
      ])
    })

    test.runIf(name !== 'long-poll')('a channel that is deleted is history that is gone, and no end', async () => {
      const id = `job-${++jobs}`
      await publish(id, '1')
      const job = clientOf(only(nchanBackend(), name), `${base}/sub`).subscribe(id)
      const seen = []
      await expect(
        (async () => {
          for await (const event of job) if (seen.push(event) === 1) await fetch(`${base}/pub/${id}`, { method: 'DELETE' })
        })()
      ).rejects.toMatchObject({ code: 'history-gone' })
    })
  })

  test('an unknown channel is waited for', async () => {
    const id = `job-${++jobs}`
    const events = eventsOf(nchanBackend(), `${base}/sub`, { job: id })
    await vi.waitFor(async () => {
      const about = await fetch(`${base}/pub/${id}`, { headers: { accept: 'application/json' } })
      expect(((await about.json()) as { subscribers: number }).subscribers).toBeGreaterThan(0) // as: Nchan's
    }, 5000)
    await publish(id, '[DONE]')
    expect(brief(await events)).toEqual([['succeeded', null]])
  })
})

test('a page that is not a message of Nchan is an error', async () => {
  const { url } = await serveAnswers([{ headers: { 'content-type': 'text/html' }, body: '<html>' }])
  const reasons: unknown[] = []
  const job = clientOf(only(nchanBackend(), 'long-poll'), url, { onDiagnostic: (each) => reasons.push('reason' in each && each.reason) }).subscribe('1')
  job.onChange(() => {})
  await vi.waitFor(() => expect(reasons).toContain('protocol'))
  job.close()
})
