import { once } from 'node:events'
import { connect, type Socket as NetSocket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, n) => n + from)

describe('an event appended while a follower connects is not missed', () => {
  const ROUNDS = 200

  test('even if it is appended between the start of listening and the first read', async () => {
    const gate = createGate()
    const { jobs, read } = await serve({ log: gate.log })
    gate.onWatch((job) => jobs.publish(job, 'succeeded'))
    for (let round = 0; round < ROUNDS; round += 1) {
      const { id } = await jobs.publish(`job${round}`, 'queued')
      expect((await read(`/job${round}/events?after=${id}&wait=55`)).events).toHaveLength(1)
    }
  })

  test.each(['stream', 'socket', 'long poll'])('by a %s, at any moment of connecting', async (kind) => {
    const { jobs, base, read } = await serve()
    await Promise.all(
      upTo(ROUNDS).map(async (round) => {
        const job = `job${round}`
        await jobs.publish(job, 'queued')
        const appended = new Promise<void>((resolve) => {
          let turns = round % 40
          const wait = () => {
            turns -= 1
            if (turns > 0) setImmediate(wait)
            else jobs.publish(job, 'succeeded').then(() => resolve())
          }
          wait()
        })
        if (kind === 'stream') {
          const stream = await openStream(`${base}/${job}/events`)
          await stream.ended
          expect(stream.events().map(({ seq }) => seq)).toEqual([1, 2])
        } else if (kind === 'socket') {
          const socket = openSocket(`${base}/${job}/events`)
          await vi.waitFor(() => expect(socket.controls('done')).toHaveLength(1), { timeout: 20_000 })
          expect(socket.events().map(({ seq }) => seq)).toEqual([1, 2])
          socket.ws.terminate()
        } else {
          const seqs = []
          for (let after = '', done = false; !done; ) {
            const reading = await read(`/${job}/events?after=${after}&wait=55`)
            const [member] = reading.jobs
            if (!member || 'error' in member) throw new Error(`no reading of ${job}`)
            seqs.push(...reading.events.map(({ seq }) => seq))
            after = member.cursor
            done = member.done
          }
          expect(seqs).toEqual([1, 2])
        }
        await appended
      })
    )
  })
})

test('every one of many followers of a job gets each event once, in order', async () => {
  const { jobs, base } = await serve()
  await jobs.publish('42', 'queued')
  const streams = await Promise.all(upTo(10).map(() => openStream(`${base}/42/events`)))
  const sockets = upTo(10).map(() => openSocket(`${base}/42/events`))
  for (let n = 2; n < 500; n += 1) await jobs.publish('42', 'progress', { n })
  await jobs.publish('42', 'succeeded')
  for (const stream of streams) {
    await stream.ended
    expect(stream.events().map(({ seq }) => seq)).toEqual(upTo(500))
  }
  for (const socket of sockets) await vi.waitFor(() => expect(socket.events().map(({ seq }) => seq)).toEqual(upTo(500)))
})

test('a busy job does not delay other jobs', async () => {
  const { jobs, base } = await serve()
  for (let n = 0; n < 3000; n += 1) await jobs.publish('busy', 'progress', { n })
  await jobs.publish('quiet', 'queued')
  const socket = openSocket(`${base}/events?job=busy&job=quiet`)
  await vi.waitFor(() => expect(socket.events().length).toBe(3001))
  expect(socket.events().findIndex(({ job }) => job === 'quiet')).toBeLessThan(500)
})

describe('a slow reader', () => {
  const EVENT = 'x'.repeat(50_000)
  const EVENTS = 1000

  /** A client that sends a request and never reads the answer. */
  async function openStalled(port: number, path: string, websocket: boolean): Promise<NetSocket> {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: jobtail.v1\r\n'
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${websocket ? upgrade : 'Connection: close\r\nAccept: text/event-stream\r\n'}\r\n`)
    await once(socket, 'connect')
    socket.pause()
    return socket
  }

  test.each([
    ['stream', false],
    ['socket', true]
  ])(
    '%s: gets bye slow, and the log is not read ahead of it',
    async (_, websocket) => {
      const gate = createGate()
      const { jobs, port, openConnections } = await serve({ log: gate.log, heartbeatMs: 50, maxBufferedBytes: 10_000 })
      await jobs.publish('42', 'queued')
      const socket = await openStalled(port, '/jobs/42/events', websocket)
      await gate.watched('42')
      const received: Buffer[] = []
      let closed = false
      socket.on('close', () => {
        closed = true
      })
      for (let n = 0; n < EVENTS; n += 1) await jobs.publish('42', 'output', EVENT)
      await vi.waitFor(() => expect(gate.watching()).toBe(0), { timeout: 15_000 })
      // At most what the kernel buffers and one page: far less than the whole log.
      expect(gate.eventsRead()).toBeLessThan(EVENTS)
      expect(closed).toBe(false)
      socket.on('data', (data) => received.push(data))
      socket.resume()
      await vi.waitFor(() => expect(closed).toBe(true), { timeout: 5000 })
      expect(await openConnections()).toBe(0)
      const text = String(Buffer.concat(received))
      expect(text.length).toBeLessThan(EVENTS * EVENT.length)
      expect(text).toContain('{"control":"bye","reason":"slow","retryMs":1000}')
    },
    30_000
  )

  test('that reads on in time gets every event', async () => {
    const { jobs, base } = await serve({ maxBufferedBytes: 10_000 })
    for (let n = 0; n < 400; n += 1) await jobs.publish('42', 'output', EVENT)
    await jobs.publish('42', 'succeeded')
    const ws = new WebSocket(`${base.replace('http', 'ws')}/42/events`, 'jobtail.v1')
    onTestFinished(() => ws.terminate())
    const seqs: number[] = []
    ws.on('message', (message) => {
      for (const frame of [JSON.parse(String(message))].flat()) if (frame.seq && !frame.control) seqs.push(frame.seq)
      ws.pause()
      setImmediate(() => ws.resume())
    })
    await vi.waitFor(() => expect(seqs).toEqual(upTo(401)), { timeout: 15_000 })
  }, 20_000)

  test('whose position is dropped from the log meanwhile is told so, and goes on from the oldest event', async () => {
    const gate = createGate({ maxEvents: 100 })
    const { base, jobs } = await serve({ log: gate.log })
    await jobs.publish('42', 'queued')
    const stream = await openStream(`${base}/42/events`)
    const socket = openSocket(`${base}/events`)
    await once(socket.ws, 'open')
    socket.send({ op: 'subscribe', job: '42', ref: 7 })
    await vi.waitFor(() => expect([...stream.events(), ...socket.events()]).toHaveLength(2))
    // Readers can read only if the event loop turns in between.
    for (let n = 2; n <= 1000; n += 1) void gate.log.append('42', 'progress', { n })
    await gate.log.append('42', 'succeeded', null)
    await stream.ended
    await vi.waitFor(() => expect(socket.controls('done')).toHaveLength(1))
    for (const { controls, events } of [stream, socket]) {
      const subscribed = controls().filter(({ control }) => control === 'subscribed')
      expect(subscribed).toMatchObject([{ seq: 0 }, { seq: 901 }])
      expect(subscribed[1]).not.toHaveProperty('ref')
      expect(events().map(({ seq }) => seq)).toEqual([1, ...upTo(1001, 902)])
    }
  })

  test('requests of a client that are sent faster than they are answered are read no further', async () => {
    const authorize = vi.fn(() => new Promise<boolean>(() => {}))
    const { port, get } = await serve({ authorize: ({ jobId }) => (jobId === 'other' ? true : authorize()) })
    const socket = await openStalled(port, '/jobs/events', true)
    const frames = upTo(90_000).map((n) => {
      const operation = Buffer.from(`{"op":"subscribe","job":"${n}"}`)
      return Buffer.concat([Buffer.from([0x81, 0x80 | operation.length, 0, 0, 0, 0]), operation])
    })
    socket.write(Buffer.concat(frames))
    await vi.waitFor(() => expect(authorize).toHaveBeenCalled())
    // More turns of the event loop than it takes to read the whole log.
    for (let n = 0; n < 200; n += 1) await get('/other')
    expect(authorize.mock.calls.length).toBeLessThan(10_000)
  })

  test('answers to a client that never reads them do not pile up without limit', async () => {
    const gate = createGate()
    const { jobs, port } = await serve({ log: gate.log, maxBufferedBytes: 10_000 })
    await jobs.publish('42', 'queued')
    const socket = await openStalled(port, '/jobs/42/events', true)
    await gate.watched('42')
    const operation = Buffer.from(JSON.stringify({ op: 'subscribe', job: 'none', after: '%' }))
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | operation.length, 0, 0, 0, 0]), operation])
    const many = Buffer.concat(Array.from({ length: 2000 }, () => frame))
    let gone = false
    socket.on('close', () => {
      gone = true
    })
    const flood = () => {
      while (!gone && socket.write(many));
    }
    socket.on('drain', flood)
    flood()
    // The server closes the socket while the client still sends. The client never reads, but its writes fail.
    await vi.waitFor(() => expect(gone).toBe(true), { timeout: 15_000 })
  }, 20_000)
})
