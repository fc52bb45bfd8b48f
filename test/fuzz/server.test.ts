/** Everything of the server that takes bytes from clients: operations, URLs, headers, and raw bytes on a socket. */

import { once } from 'node:events'
import net from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Reading } from '../../src/protocol/frames.ts'
import { Connections } from '../../src/server/connections.ts'
import { createJobServer, type JobServer } from '../../src/server/index.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { Operations } from '../../src/server/readings/operations.ts'
import type { Settings } from '../../src/server/server-options.ts'
import type { Subscriber } from '../../src/server/subscriber.ts'
import { ControlQueue } from '../../src/server/subscriber-queues.ts'
import { serve } from '../server/serve.ts'
import { damageBytes, damageText, spoil, text, value } from './damage.ts'
import { expectSame } from './outcome.ts'
import { fuzz, type Tape } from './tape.ts'

const JOBS = ['42', 'é', 'a/b?c', '\ud83d\ude00', '__proto__', 'x'.repeat(256)] as const
const NO_JOBS = ['', '.', '..', 'events', '\ud800', 'x'.repeat(257), 'é'.repeat(129), 42, null] as const

interface Operation {
  op: unknown
  job?: unknown
  after?: unknown
  ref?: unknown
}

const operation = (tape: Tape): Operation => ({
  op: tape.pick(['subscribe', 'subscribe', 'unsubscribe', 'ping', 'another', '__proto__']),
  ...(tape.oneIn(12) ? {} : { job: tape.oneIn(12) ? tape.pick(NO_JOBS) : tape.pick(JOBS) }),
  ...(tape.oneIn(2) ? { after: tape.pick(['', 'e-1', 'tail', '~.:_-']) } : {}),
  ...(tape.oneIn(2) ? { ref: tape.pick([0, 1, 2 ** 53 - 1]) } : {})
})

/** What the server must do with a message by PROTOCOL.md §5. `undefined`: refuse all of it. */
function expectedCalls(message: string): string[] | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(message)
  } catch {
    return undefined
  }
  const calls: string[] = []
  for (const each of Array.isArray(parsed) ? parsed : [parsed]) {
    if (typeof each !== 'object' || each === null || typeof each.op !== 'string') return undefined
    const { op, job, after, ref } = each as Operation // as: an object; each field is checked
    if (op === 'ping') calls.push('pong')
    if (op !== 'subscribe' && op !== 'unsubscribe') continue
    if (typeof job !== 'string' || job === '' || !job.isWellFormed() || ['.', '..', 'events'].includes(job) || Buffer.byteLength(job) > 256) return undefined
    if (op === 'unsubscribe') {
      calls.push(`unsubscribe ${job}`)
      continue
    }
    if (!(after === undefined || after === null || typeof after === 'string')) return undefined
    if (!(ref === undefined || ref === null || (Number.isSafeInteger(ref) && Number(ref) >= 0))) return undefined
    if (after && !/^[A-Za-z0-9._:~-]{1,128}$/.test(after)) calls.push(`refuse ${job}`)
    else calls.push(`subscribe ${job} ${after || undefined} ${ref ?? undefined}`)
  }
  return calls
}

test('operations over a WebSocket do what PROTOCOL.md says, or are refused as a whole', { timeout: 120_000 }, async () => {
  await fuzz('messages of operations', 10_000, async (tape) => {
    const sound = tape.oneIn(2) ? operation(tape) : tape.list(4, () => operation(tape))
    const message = ((): string => {
      switch (tape.below(5)) {
        case 0:
          tape.note('wrong types')
          return JSON.stringify(spoil(tape, sound))
        case 1:
          tape.note('damaged texts')
          return damageText(tape, JSON.stringify(sound))
        case 2:
          tape.note('any JSON')
          return JSON.stringify(value(tape))
        default:
          return JSON.stringify(sound)
      }
    })()
    const calls: string[] = []
    const reported: unknown[] = []
    const subscriber: Pick<Subscriber, 'jobCount' | 'controls' | 'has' | 'subscribe' | 'unsubscribe' | 'send' | 'fail'> = {
      jobCount: () => 0,
      controls: new ControlQueue(),
      has: () => false,
      subscribe: ({ job, after, ref }) => calls.push(`subscribe ${job} ${after} ${ref}`),
      unsubscribe: (job) => calls.push(`unsubscribe ${job}`),
      send: ({ control }) => calls.push(control),
      fail: ({ status }, job) => calls.push(job === undefined ? `refuse with ${status}` : `refuse ${job}`)
    }
    const over = Promise.withResolvers<void>()
    // as: it has all that is read
    const settings = {
      authorize: () => true,
      maxJobsPerConnection: 128,
      maxReaders: 1,
      onError: (error: unknown) => reported.push(error)
    } as unknown as Settings
    const operations = new Operations({
      subscriber: subscriber as Subscriber, // as: it has all that is called
      requester: () => ({ request: new Request('http://localhost/jobs/42/events'), source: {} }),
      slot: new Connections(settings, createMetrics()).admit(undefined, 'websocket'),
      settings,
      listener: { done: () => operations.pending() === 0 && over.resolve(), flood() {} }
    })
    operations.handleMessage(message)
    if (operations.pending() > 0) await over.promise
    const expected = expectedCalls(message)
    tape.note(expected ? 'taken' : 'refused')
    // The order holds only within a job: jobs don't wait for each other.
    expectSame({ calls: calls.sort(), reported }, { calls: (expected ?? ['refuse with 400']).sort(), reported: [] }, () => message)
  })
})

// ---- requests

let jobs: JobServer
/** What `onError` got. Only a fault of the server itself is reported. */
const failures: unknown[] = []
/** Ended jobs only, so that no long poll waits. */
const cursors = new Map<string, string[]>()

beforeAll(async () => {
  jobs = createJobServer({ start: () => {}, onError: (error) => failures.push(error) })
  for (const job of JOBS) {
    const events = [await jobs.publish(job, 'started'), await jobs.publish(job, 'progress', { ratio: 0.5 }), await jobs.publish(job, 'succeeded', job)]
    cursors.set(
      job,
      events.map(({ id }) => id)
    )
  }
})
afterAll(() => jobs.close({ graceMs: 0 }))

const header = (from: string): string => from.replace(/[^\x20-\x7e]/g, '?').trim()

test("events begin after the header's cursor, or else after the URL's", { timeout: 120_000 }, async () => {
  await fuzz('requests for events', 3000, async (tape) => {
    const job = tape.pick([...JOBS, 'unknown', '.hidden', '%', 'x'.repeat(257), '\0'])
    const cursor = (): string => tape.pick(['', '', 'tail', 'e-9', 'x'.repeat(128), 'x'.repeat(129), 'a b', 'é', '__proto__', ...(cursors.get(job) ?? [])])
    const after = tape.oneIn(2) ? cursor() : undefined
    const last = tape.oneIn(2) ? header(cursor()) : undefined
    const wait = tape.pick([undefined, undefined, '1', '999', '-1', '0x1', 'x', '1e400', ''])
    const url = new URL(`http://localhost/jobs/${encodeURIComponent(job)}/events`)
    if (after !== undefined) url.searchParams.set('after', after)
    if (wait !== undefined) url.searchParams.set('wait', wait)
    const response = await jobs.fetch(new Request(url, { headers: { ...(last !== undefined && { 'last-event-id': last }) } }))

    const place = last || after || ''
    const ids = cursors.get(job)
    const isBad = Buffer.byteLength(job) > 256 || (place !== '' && !/^[A-Za-z0-9._:~-]{1,128}$/.test(place)) || wait === 'x'
    const status = isBad ? 400 : ids ? 200 : 404
    tape.note(`${status}`)
    const body = (await response.json()) as Reading // as: or a problem; then there are no events
    const had = place === 'tail' ? 3 : (ids?.indexOf(place) ?? -1) + 1
    expectSame([response.status, body.events?.map(({ id }) => id), failures], [status, status === 200 ? ids?.slice(had) : undefined, []], () => [
      `${url}`,
      last
    ])
  })
})

test('any path, query, method, header and body gets an answer, and no 500', { timeout: 120_000 }, async () => {
  const segments = [
    'jobs',
    'events',
    '42',
    'cancel',
    'unknown',
    '%',
    '%00',
    '%ff',
    '%2e%2e',
    '..',
    '',
    '%f0%9f%98%80',
    '//',
    '\\',
    'é',
    'x'.repeat(300)
  ] as const
  await fuzz('requests of any kind', 3000, async (tape) => {
    const names = ['job', 'after', 'wait', 'pad', 'job[]', '__proto__'] as const
    const query = tape.list(
      4,
      () => `${tape.pick(names)}=${tape.oneIn(2) ? tape.pick(['42', 'tail', '', '%', '%00', '1e999', '+']) : encodeURIComponent(text(tape).toWellFormed())}`
    )
    const url = `http://localhost/jobs${tape.list(4, () => `/${tape.pick(segments)}`).join('')}${query.length > 0 ? `?${query.join('&')}` : ''}`
    const method = tape.pick(['GET', 'GET', 'POST', 'OPTIONS', 'PUT', 'HEAD'])
    const anything = (): string => header(text(tape).slice(0, 500))
    const headers = {
      accept: tape.pick(['application/json', 'text/event-stream', '*/*', anything()]),
      ...(tape.oneIn(2) && { 'last-event-id': anything() }),
      ...(tape.oneIn(3) && { prefer: tape.pick(['wait=1', 'wait=', 'wait=99999999999999999999', anything()]) }),
      ...(tape.oneIn(3) && { 'if-none-match': tape.pick(['*', '"x"', ',,,', anything()]) }),
      ...(tape.oneIn(3) && { 'idempotency-key': anything() }),
      ...(tape.oneIn(3) && { origin: tape.pick(['null', 'http://localhost', 'http://evil.example', anything()]) })
    }
    const body = method === 'POST' ? { body: tape.oneIn(2) ? JSON.stringify(value(tape)) : text(tape) } : {}
    const response = await jobs.fetch(new Request(url, { method, headers, ...body }))
    tape.note(`${response.status}`)
    await response.text() // an event stream ends too, because its jobs have ended
    expectSame([response.status < 500, failures], [true, []], () => [method, url, headers, body])
  })
})

// ---- bytes

/** A frame of a client, masked by RFC 6455 §5.2. */
function socketFrame(tape: Tape, payload: Uint8Array): Uint8Array {
  const opcode = tape.pick([1, 1, 1, 0, 2, 8, 9, 10, 3, 15])
  const length = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255]
  const mask = [1, 2, 3, 4].map(() => tape.below(256))
  return Uint8Array.from([(tape.oneIn(6) ? 0 : 0x80) | opcode, ...length, ...mask, ...payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))])
}

const HANDSHAKE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: jobtail.v1\r\n'

test('any bytes on a socket cause no error, and the server goes on', { timeout: 120_000 }, async () => {
  const reported: unknown[] = []
  const served = await serve({ onError: (error) => reported.push(error) })
  await served.jobs.publish('42', 'succeeded', {})
  const encoder = new TextEncoder()
  await fuzz('connections with any bytes', 1000, async (tape) => {
    const isUpgrade = tape.oneIn(2)
    const path = tape.pick(['/jobs/42/events', '/jobs/events', '/jobs/42', '/jobs', '//x/jobs', 'http://[/jobs', '*'])
    const head = encoder.encode(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${isUpgrade ? HANDSHAKE : 'Connection: close\r\nPrefer: wait=x\r\n'}\r\n`)
    const sent = [tape.oneIn(3) ? damageBytes(tape, head) : head]
    if (isUpgrade)
      sent.push(
        ...tape.list(5, () => {
          const sound = encoder.encode(JSON.stringify(operation(tape)))
          return socketFrame(tape, (tape.oneIn(2) ? damageBytes(tape, sound) : sound).subarray(0, 60_000))
        })
      )
    tape.note(isUpgrade ? 'WebSockets' : 'requests')
    const socket = net.connect(served.port, '127.0.0.1')
    const closed = once(socket, 'close')
    socket.on('error', () => {}) // 'close' follows
    socket.resume()
    socket.end(Buffer.concat(sent))
    await closed
    expectSame(reported, [], () => Buffer.concat(sent).toString('latin1'))
  })
  // The server still works.
  expect(await served.read('/42/events')).toMatchObject({ events: [{ seq: 1 }] })
  await expect.poll(served.openConnections, { timeout: 20_000 }).toBeLessThanOrEqual(1)
})
