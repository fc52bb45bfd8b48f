import { describe, expect, test, vi } from 'vitest'
import { memoryLog } from '../../src/server/index.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { prometheusText } from '../../src/server/prometheus.ts'
import { openRaw, PATIENCE, UPGRADE } from './defence/raw.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

describe('a server’s metrics', () => {
  test('count what is appended and delivered, and what is open', async () => {
    const { jobs, get, read } = await serve()
    await jobs.publish('42', 'queued')
    await jobs.publish('42', 'progress', { ratio: 0.5 })
    await read('/42/events')
    expect(jobs.metrics()).toMatchObject({ appended: 2, delivered: { 'short-poll': 2 }, opened: { 'short-poll': 1 }, connections: { 'short-poll': 0 } })

    const stream = await get('/42/events', { accept: 'text/event-stream' })
    const body = stream.body?.getReader()
    await body?.read()
    expect(jobs.metrics()).toMatchObject({ delivered: { sse: 2 }, connections: { sse: 1 }, lag: { count: 0 } })
    await jobs.publish('42', 'progress', { ratio: 0.6 })
    await body?.read()
    const { lag, delivered } = jobs.metrics()
    expect(delivered.sse).toBe(3)
    expect(lag.count).toBe(1)
    expect(lag.buckets.at(-1)?.count).toBe(1)
    await body?.cancel()
    await vi.waitFor(() => expect(jobs.metrics().connections.sse).toBe(0))
  })

  test('count long polls separately, refusals by status, and byes by reason', async () => {
    const { jobs, get, server } = await serve({ authorize: ({ jobId }) => jobId !== 'secret' })
    await jobs.publish('42', 'queued')
    expect((await get('/secret')).status).toBe(401)
    expect((await get('/unknown/events')).status).toBe(404)
    const { cursor } = await (await get('/42')).json()
    const held = get(`/42/events?after=${cursor}&wait=20`)
    await vi.waitFor(() => expect(jobs.metrics().connections['long-poll']).toBe(1))
    await jobs.close()
    await held
    expect(jobs.metrics()).toMatchObject({ rejected: { 401: 1, 404: 1 }, connections: { 'long-poll': 0 } })
    server.closeAllConnections()
  })

  test('count nothing for a socket that is closing, and no log is read for it', async () => {
    const gate = createGate()
    const { jobs, port } = await serve({ log: gate.log, authorize: ({ jobId }) => jobId !== 'secret' })
    await jobs.publish('42', 'queued')
    const raw = await openRaw(port, `GET /jobs/secret/events HTTP/1.1\r\nHost: x\r\n${UPGRADE}`)
    const close = Buffer.from([0x88, 2, 4401 >> 8, 4401 & 0xff]).toString('latin1')
    await vi.waitFor(() => expect(raw.text()).toContain(close), PATIENCE)
    const text = Buffer.from('{"op":"subscribe","job":"42"}')
    raw.socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]))
    await raw.closed
    expect(jobs.metrics().delivered.websocket).toBe(0)
    expect(gate.eventsRead()).toBe(0)
  })

  test('are a copy', async () => {
    const { jobs } = await serve()
    jobs.metrics().appended = 7
    expect(jobs.metrics().appended).toBe(0)
  })

  test('as Prometheus text: one TYPE for each family, each bucket at least as large as the one before, a line feed at the end', () => {
    const store = createMetrics()
    const meter = store.open('websocket')
    const time = new Date(Date.now() + 1).toISOString()
    meter.frames([
      { id: 'e-1', seq: 1, job: 'a', type: 'progress', time, data: null },
      { control: 'error', job: 'b', status: 404, code: 'unknown-job', message: 'no' }
    ])
    meter.bye('slow')
    store.rejected(503)
    const text = prometheusText(store.read())
    expect(text.endsWith('\n')).toBe(true)
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) jobtail_\w+ .+|jobtail_\w+(\{\w+="[^"]+"\})? [0-9.e+-]+)$/)
    expect(text).toContain('jobtail_connections{transport="websocket"} 1\n')
    expect(text).toContain('jobtail_byes_total{reason="slow"} 1\n')
    expect(text).toContain('jobtail_rejected_total{status="404"} 1\n')
    expect(text).toContain('jobtail_rejected_total{status="503"} 1\n')
    expect(text).toContain('jobtail_delivery_lag_seconds_bucket{le="+Inf"} 1\n')
    const buckets = [...text.matchAll(/_bucket\{le="[^"]+"\} (\d+)/g)].map(([, count]) => Number(count))
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b))
    const types = [...text.matchAll(/# TYPE (\S+)/g)].map(([, name]) => name)
    expect(new Set(types).size).toBe(types.length)
  })
})

describe('a server’s health', () => {
  test('is ok, then closing', async () => {
    const { jobs } = await serve()
    expect(await jobs.health()).toEqual({ status: 'ok' })
    const closed = jobs.close()
    expect(await jobs.health()).toEqual({ status: 'closing' })
    await closed
  })

  test('is failing if the log throws or does not answer', async () => {
    const error = new Error('no redis')
    const throwing = await serve({ log: { ...memoryLog(), snapshot: () => Promise.reject(error) } })
    expect(await throwing.jobs.health()).toEqual({ status: 'failing', error })
    const hanging = await serve({ log: { ...memoryLog(), snapshot: () => new Promise(() => {}) } })
    expect(await hanging.jobs.health({ timeoutMs: 20 })).toMatchObject({ status: 'failing', error: { message: 'the log gave no answer within 20 ms' } })
  })
})
