/** nchan and plainSse with a third-party server: Nchan, an nginx module. Skipped if this machine doesn't have it. */

import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { nchan as nchanBackend } from '../../src/backends.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { Backend, Batch, JobCursor, JobEvent } from '../../src/types.ts'
import { nchan } from '../setup/peers.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { serve as serveWith } from './foreign-server.ts'
import { type NchanServer, startNchan } from './nchan-server.ts'
import { subjects } from './subjects.ts'
import { only } from './transports.ts'
import { underTest } from './under-test.ts'

const nginx = nchan.find()

describe.skipIf(!nginx)('Nchan', () => {
  let server: NchanServer
  let base = ''
  let jobs = 0
  let publish: NchanServer['publish']

  beforeAll(async () => {
    server = await startNchan()
    base = server.origin
    publish = server.publish
  })
  afterAll(() => server?.close())

  const serve = async () => ({ url: server.url, job: server.job, close() {} })
  const under = (backend: Backend) => underTest({ ...subjects.nchan, backend }, serve)
  const interval = (job: string): string => `/interval/${job}`

  describeBackend('plainSse, of Nchan', underTest(subjects['plainSse, of Nchan'], serve))
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

async function* muteFrames([asked]: readonly JobCursor[], signal: AbortSignal): AsyncGenerator<Batch, void> {
  if (!asked) return
  yield [
    { control: 'hello', protocol: 1 },
    { control: 'subscribed', job: asked.job, ref: asked.ref, epoch: 'stream', seq: 0, cursor: '0.0', status: 'running' }
  ]
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

describe('while a proxy holds back the greeting of event streams', () => {
  const poll = (body: string) => ({ 'last-modified': 'Mon, 30 Nov 2026 12:00:00 GMT', etag: '0', 'content-length': body.length })

  test('long polls go on, though they take longer to answer', async () => {
    const { url, close } = await serveWith((req, res) => {
      if (req.headers.accept?.includes('event-stream')) return res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      setTimeout(() => res.writeHead(200, poll('[DONE]')).end('[DONE]'), 1000) // as long as the channel has no message
    })
    onTestFinished(close)
    expect(brief(await eventsOf(only(nchanBackend(), 'sse', 'long-poll'), url))).toEqual([['succeeded', null]])
  })

  test('a single read is a poll', async () => {
    let isOver = false
    const { url, close } = await serveWith((req, res) => {
      if (req.headers.accept?.includes('event-stream')) return res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      if (isOver) res.writeHead(200, poll('[DONE]')).end('[DONE]')
    })
    onTestFinished(close)
    // A WebSocket that opens and delivers nothing.
    const mute: Backend = {
      ...nchanBackend(),
      transports: [{ name: 'mute', isSupported: () => true, open: ({ jobs, signal }) => ({ frames: muteFrames(jobs, signal) }) }]
    }
    const job = clientOf(mute, url).subscribe('1')
    const types: string[] = []
    const done = (async () => {
      for await (const { type } of job) types.push(type)
    })()
    await vi.waitFor(() => expect(job.state.connection.phase).toBe('live'))
    isOver = true
    await done
    expect(types).toEqual(['succeeded'])
  })
})
