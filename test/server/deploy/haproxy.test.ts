import { expect, onTestFinished, test, vi } from 'vitest'
import { createClient } from '../../../src/core.ts'
import { createJobServer, memoryLog } from '../../../src/server/index.ts'
import type { EventLog } from '../../../src/server/log/types.ts'
import { redisLog } from '../../../src/server/redis/index.ts'
import { longPoll, shortPoll } from '../../../src/transports/poll.ts'
import { sse } from '../../../src/transports/sse.ts'
import { webSocket } from '../../../src/transports/websocket.ts'
import type { Client, Diagnostic } from '../../../src/types.ts'
import { findProxy } from '../../setup/proxies.ts'
import { freePort, redisPath, startRedis } from '../redis-server.ts'
import { haproxyConfiguration } from './haproxy.ts'
import { type Node, startNode, startProxy } from './proxy.ts'

const TRANSPORTS = { websocket: webSocket, sse, 'long-poll': longPoll, 'short-poll': shortPoll }
type Name = keyof typeof TRANSPORTS

const JOBS = Array.from({ length: 10 }, (_, index) => `job-${index}`)
const CLIENTS_EACH = 5
const JOBS_EACH = 4
const PAUSE_MS = 50
const MINUTE = 60_000

interface Follower {
  transport: Name
  job: string
  seqs: number[]
  types: Set<string>
  longestMs: number
  over: Promise<void>
}

/** The log that all nodes share. */
interface Shared {
  writer: EventLog
  /** Opens the log for one node. Closing it leaves the other nodes' logs open. */
  open(): EventLog
}

function inMemory(): Shared {
  const writer = memoryLog({ maxEvents: 100_000 })
  onTestFinished(() => writer.close())
  return { writer, open: () => ({ ...writer, close: async () => {} }) }
}

async function inRedis(): Promise<Shared> {
  const redis = await startRedis()
  onTestFinished(() => redis.remove())
  const open = (): EventLog => redisLog({ url: redis.url, timeoutMs: MINUTE, maxEvents: 100_000 })
  const writer = open()
  onTestFinished(() => writer.close())
  return { writer, open }
}

function follow(client: Client, job: string, transport: Name): Follower {
  const follower: Follower = { transport, job, seqs: [], types: new Set(), longestMs: 0, over: Promise.resolve() }
  let last = performance.now()
  follower.over = (async () => {
    for await (const { type, seq } of client.subscribe(job)) {
      follower.seqs.push(seq)
      follower.types.add(type)
      follower.longestMs = Math.max(follower.longestMs, performance.now() - last)
      last = performance.now()
    }
  })()
  follower.over.catch(() => {}) // the test waits for it at the end
  return follower
}

const LOGS = [{ name: 'a log in one process', share: inMemory }, ...(redisPath ? [{ name: 'a log in Redis', share: inRedis }] : [])]

test.skipIf(!findProxy('haproxy')).each(LOGS)(
  'two nodes behind HAProxy, with $name, restarted in turn under load: no event is lost or repeated, no loop fails, no job runs twice',
  async ({ share }) => {
    const { writer: log, open } = await share()
    const runs = new Map<number, number>()
    const create = () =>
      createJobServer({
        log: open(),
        shortPollPauseMs: 200,
        heartbeatMs: 2000,
        start(_, input) {
          const n = Number(input)
          runs.set(n, (runs.get(n) ?? 0) + 1)
          return n
        }
      })
    for (const job of JOBS) await log.append(job, 'started', {})
    const nodes: Node[] = [await startNode(create()), await startNode(create())]
    const ports = nodes.map(({ port }) => port)
    const origin = await startProxy('haproxy', (port) => haproxyConfiguration(port, ports))
    const said: (Diagnostic & { by: Name })[] = []
    const clients: Client[] = []
    onTestFinished(() => {
      for (const client of clients) client.close()
    })

    function connect(by: Name): Client {
      const onDiagnostic = (diagnostic: Diagnostic): void => void said.push({ ...diagnostic, by })
      const client = createClient({ url: `${origin}/jobs`, transports: [TRANSPORTS[by]()], onDiagnostic })
      clients.push(client)
      return client
    }

    const names = Object.keys(TRANSPORTS) as Name[] // as: Object.keys forgets them
    const followers = names.flatMap((name) =>
      Array.from({ length: CLIENTS_EACH }, (_, index) => ({ client: connect(name), index })).flatMap(({ client, index }) =>
        Array.from({ length: JOBS_EACH }, (_, offset) => follow(client, JOBS[(index * 2 + offset) % JOBS.length] ?? '', name))
      )
    )

    let appended = 1
    const publisher = setInterval(() => {
      appended += 1
      for (const job of JOBS) void log.append(job, 'progress', { current: appended })
    }, PAUSE_MS)
    onTestFinished(() => clearInterval(publisher))

    let isOver = false
    const starter = connect('sse')
    const starting = (async () => {
      const results: unknown[] = []
      for (let n = 0; !isOver; n += 1) results.push(await (await starter.start(n)).result.catch((error: unknown) => error))
      return results
    })()
    starting.catch(() => {}) // the test waits for it at the end

    /** Resolves once every reader has got the events that are appended from now on. */
    async function flowsAgain(): Promise<void> {
      const mark = appended + 1
      await vi.waitFor(() => expect(followers.filter(({ seqs }) => (seqs.at(-1) ?? 0) < mark)).toHaveLength(0), { timeout: MINUTE, interval: 50 })
    }

    await flowsAgain()
    for (const turn of [0, 1, 0, 1]) {
      await nodes[turn]?.stop()
      await flowsAgain()
      nodes[turn] = await startNode(create(), ports[turn])
      await vi.waitFor(() => expect(nodes[turn]?.checks).toBeGreaterThan(2), { timeout: MINUTE })
      await flowsAgain()
    }
    isOver = true
    clearInterval(publisher)
    for (const job of JOBS) await log.append(job, 'succeeded', null)
    await Promise.all(followers.map(({ over }) => over))

    const expected = Array.from({ length: appended + 1 }, (_, index) => index + 1)
    for (const { seqs, types } of followers) {
      expect(seqs).toEqual(expected)
      expect([...types].sort()).toEqual(['progress', 'started', 'succeeded'])
    }
    const results = await starting
    // A job may have failed because its node was stopped, before or during its work. No job ran twice, and none was lost.
    expect(results.filter((result, n) => result !== n && !String(result).includes('closed'))).toEqual([])
    expect([...runs.values()].every((count) => count === 1)).toBe(true)
    expect(results.filter((result) => typeof result === 'number').length).toBeGreaterThan(results.length / 2)
    const lost = said.flatMap((each) => (each.type === 'lost' ? [`${each.by} ${each.reason}`] : []))
    // A `silent` connection is caused by the busy machine. A poll may reach a node that closes, which answers 503.
    expect([...new Set(lost)].filter((each) => !/ silent$|^(long|short)-poll status$/.test(each)).sort()).toEqual(['sse bye', 'websocket bye'])
    for (const name of names) {
      const longest = Math.max(...followers.filter(({ transport }) => transport === name).map(({ longestMs }) => longestMs))
      console.log(
        `${name}: longest pause ${Math.round(longest)} ms, lost ${lost.filter((each) => each.startsWith(`${name} `)).length} times in ${expected.length} events`
      )
    }
  },
  5 * MINUTE
)

test.skipIf(!findProxy('haproxy'))(
  'while no node is up and HAProxy answers 503 itself, every follower waits, and goes on when a node is back',
  async () => {
    const { writer: log, open } = inMemory()
    const create = () => createJobServer({ log: open(), shortPollPauseMs: 100 })
    await log.append('42', 'started', {})
    const node = await startNode(create(), await freePort())
    const origin = await startProxy('haproxy', (port) => haproxyConfiguration(port, [node.port]))
    const names = Object.keys(TRANSPORTS) as Name[] // as: Object.keys forgets them
    const clients = names.map((name) => createClient({ url: `${origin}/jobs`, transports: [TRANSPORTS[name]()], retry: { maxMs: 1000 } }))
    onTestFinished(() => {
      for (const client of clients) client.close()
    })
    const followers = clients.map((client, index) => follow(client, '42', names[index] ?? 'sse'))
    await vi.waitFor(() => expect(followers.every(({ seqs }) => seqs.length === 1)).toBe(true), { timeout: MINUTE })
    await node.stop()
    await log.append('42', 'progress', {})
    await vi.waitFor(async () => expect((await fetch(`${origin}/jobs/42`)).status).toBe(503), { timeout: MINUTE })
    await startNode(create(), node.port)
    await log.append('42', 'succeeded', null)
    await Promise.all(followers.map(({ over }) => over))
    for (const { seqs } of followers) expect(seqs).toEqual([1, 2, 3])
  },
  2 * MINUTE
)
