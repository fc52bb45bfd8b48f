/** Tests the minified script, whose internal property names are mangled, against a real server. A property that is mangled by mistake breaks it. */

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createJobServer, type JobServer } from '../../src/server/index.ts'
import type { Client, ClientOptions, Diagnostic, JobEvent, Memory } from '../../src/types.ts'
import { root } from './tarball.ts'

type Jobtail = typeof import('../../src/index.ts')

let Jobtail: Jobtail
let jobs: JobServer
let url: string
const server = createServer()
const authorizations = new Set<string | null>()
const sockets = new Set<Socket>()

beforeAll(async () => {
  jobs = createJobServer({
    shortPollPauseMs: 20,
    authorize({ request, jobId }) {
      const authorization = request.headers.get('authorization')
      authorizations.add(authorization)
      return authorization === 'Bearer old' ? { status: 401 } : jobId !== 'forbidden' && { allow: true, subject: 'page' }
    },
    async start({ output, signal }, input) {
      await output(input)
      if (input === 'endless') await new Promise((_, reject) => signal.addEventListener('abort', reject))
      if (input === 'bad') throw new Error('it broke')
      return { had: input }
    }
  })
  jobs.attach(server)
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs` // as: it listens on TCP
})
afterAll(async () => {
  await jobs.close({ graceMs: 0 })
  server.close()
})

function loadScript(): Jobtail {
  const page = globalThis as unknown as { Jobtail?: Jobtail } // as: the script makes it
  runInThisContext(readFileSync(join(root, 'dist/jobtail.min.js'), 'utf8'))
  const loaded = page.Jobtail as Jobtail // as: see above
  delete page.Jobtail
  return loaded
}

/** A client of its own, and its diagnostics. */
function make(options: ClientOptions = {}): { client: Client; told: Diagnostic[] } {
  const told: Diagnostic[] = []
  return { client: Jobtail.createClient({ url, memory: false, onDiagnostic: (diagnostic) => told.push(diagnostic), ...options }), told }
}

async function follow(client: Client, job: string): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of client.subscribe(job)) events.push(event)
  return events
}

describe.each([
  ['the script tag', loadScript],
  ['the module', () => import(join(root, 'dist/index.js'))]
])('%s', (_, load) => {
  beforeAll(async () => {
    Jobtail = await load()
  })

  test.each(['webSocket', 'sse', 'longPoll', 'shortPoll'] as const)('follows jobs by %s, live and again from a cursor', async (name) => {
    const ids = ['1', '/2'].map((end) => `${crypto.randomUUID()}${end}`)
    for (const id of ids) await jobs.publish(id, 'started')
    const { client, told } = make({ transports: [Jobtail[name]()], firstLook: false })
    const following = ids.map((id) => follow(client, id))
    await vi.waitFor(() => expect(told.map(({ type }) => type)).toContain('live'))
    for (const id of ids) {
      await jobs.publish(id, 'progress', { current: 1, total: 4 })
      await jobs.publish(id, 'output', { text: 'ü' })
      await jobs.publish(id, 'succeeded', { answer: 42 })
    }
    for (const [index, events] of (await Promise.all(following)).entries()) {
      expect(events.map(({ seq, type, job }) => [seq, type, job])).toEqual(
        ['started', 'progress', 'output', 'succeeded'].map((type, seq) => [seq + 1, type, ids[index]])
      )
      expect(events.map(({ data }) => data)).toEqual([null, { current: 1, total: 4, ratio: 0.25 }, { text: 'ü' }, { answer: 42 }])
      const again = client.subscribe(`${ids[index]}`, { after: `${events[1]?.id}` })
      expect(await again.result).toEqual({ answer: 42 })
    }
    expect(told.find(({ type }) => type === 'live')).toMatchObject({
      transport: expect.any(String),
      attempt: 1,
      at: expect.any(Number),
      afterMs: expect.any(Number)
    })
    client.close()
  })

  test('starts a job, reports its state, and cancels it', async () => {
    const { client } = make()
    const idempotencyKey = crypto.randomUUID()
    const job = await client.start('endless', { idempotencyKey })
    expect(await client.start('endless', { idempotencyKey })).toMatchObject({ jobId: job.jobId })
    const states: string[] = []
    job.onChange(() => states.push(`${job.state.connection.phase} ${job.state.status}`))
    await vi.waitFor(() => expect(job.state).toMatchObject({ status: 'running', connection: { phase: 'live', transport: expect.any(String), attempt: 0 } }))
    await job.cancel()
    await expect(job.result).rejects.toMatchObject({ name: 'JobFailedError', code: 'cancelled' })
    expect(states).toContain('live running')
    client.close()
    expect(() => client.subscribe('')).toThrow(/job id: expected 1 to 256 bytes/)
  })

  test('rejects result and loop with errors of the right name and code', async () => {
    const { client } = make({ unknownJobGraceMs: 0 })
    const failed = await client.start('bad')
    await expect(failed.result).rejects.toBeInstanceOf(Jobtail.JobFailedError)
    await expect(client.subscribe('unheard-of').result).rejects.toMatchObject({ name: 'JobtailError', code: 'unknown-job', status: 404 })
    await expect(follow(client, 'forbidden')).rejects.toSatisfy(Jobtail.isJobtailError)
    client.close()
    const { client: other } = make({ url: 'http://127.0.0.1:1/jobs', retry: { attempts: 1, baseMs: 1 } })
    await expect(follow(other, '1')).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('websocket (refused), sse (network)') })
    expect(() => Jobtail.createClient({ staggerMs: -1 })).toThrow('staggerMs: expected number from 0, got -1')
    expect(() => Jobtail.subscribe('1', { retries: 2 } as object)).toThrow('option: expected one of url,')
  })

  test('calls the token source once more after a 401', async () => {
    const job = crypto.randomUUID()
    await jobs.publish(job, 'succeeded')
    const tokens = ['old', 'new', 'new']
    const { client, told } = make({ token: async () => tokens.shift(), transports: [Jobtail.webSocket(), Jobtail.sse()] })
    expect((await follow(client, job)).map(({ type }) => type)).toEqual(['succeeded'])
    expect([...authorizations]).toEqual(expect.arrayContaining(['Bearer old', 'Bearer new']))
    expect(told.map(({ type }) => type)).toContain('ended')
    client.close()
  })

  test('remembers the winner in a record that other versions can read', async () => {
    const job = crypto.randomUUID()
    await jobs.publish(job, 'started')
    const entries = new Map<string, unknown>()
    const memory: Memory = { read: async (key) => entries.get(key), write: async (key, value) => void entries.set(key, value) }
    for (const type of ['remembered', 'recalled']) {
      const { client, told } = make({ memory, transports: [Jobtail.longPoll(), Jobtail.sse()] })
      client.subscribe(job).onChange(() => {})
      await vi.waitFor(() => expect(told.map((each) => each.type)).toContain(type))
      client.close()
    }
    expect([...entries]).toEqual([[url, { transport: expect.any(String), latencyMs: expect.any(Number), at: expect.any(Number), records: expect.any(Object) }]])
  })

  test('reconnects after a cut', async () => {
    const job = crypto.randomUUID()
    await jobs.publish(job, 'started')
    const { client, told } = make({ transports: [Jobtail.sse()], retry: { baseMs: 1 } })
    const following = follow(client, job)
    await vi.waitFor(() => expect(told.map(({ type }) => type)).toContain('live'))
    for (const socket of sockets) socket.destroy()
    await vi.waitFor(() => expect(told.map(({ type }) => type)).toContain('lost'))
    await jobs.publish(job, 'succeeded')
    expect((await following).map(({ type }) => type)).toEqual(['started', 'succeeded'])
    expect(told.find(({ type }) => type === 'lost')).toMatchObject({ reason: 'cut', afterMs: expect.any(Number), events: expect.any(Number) })
    client.close()
  })
})
