import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { UPGRADE } from '../raw.ts'
import type { Order, Report } from './process.ts'

const MINUTES = 60_000
/** How many files the system lets one process open. */
const ALLOWED = Number(spawnSync('sh', ['-c', 'ulimit -Hn']).stdout) || Number.POSITIVE_INFINITY
const CONNECTIONS = Math.min(10_000, ALLOWED - 500)
const JOBS = Array.from({ length: 100 }, (_, index) => `job-${index}`)

interface Server {
  port: number
  order(order: Order): Promise<Report>
  /** The memory in bytes, once there are that many connections. */
  memoryAt(connections: number): Promise<{ bytes: number; rss: number }>
}

async function startServer(kind: 'jobs' | 'bare'): Promise<Server> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'process.ts'), [kind], { execArgv: ['--expose-gc'] })
  onTestFinished(() => void child.kill())
  const heard = async (): Promise<Report> => (await once(child, 'message'))[0]
  const first = await heard()
  async function order(each: Order): Promise<Report> {
    const answer = heard()
    child.send(each)
    return answer
  }
  return {
    port: 'port' in first ? first.port : 0,
    order,
    memoryAt: (connections) =>
      vi.waitFor(
        async () => {
          const found = await order({ do: 'measure' })
          if (!('bytes' in found) || found.connections !== connections) throw new Error(`there are ${JSON.stringify(found)}`)
          return found
        },
        { timeout: MINUTES, interval: 200 }
      )
  }
}

interface Follower {
  socket: Socket
  /** The last message. */
  text: string
}

/** Half of the connections are event streams, half WebSockets. Opened a few hundred at a time, as many as the system's backlog takes. */
async function openAll(port: number): Promise<Follower[]> {
  const all: Follower[] = []
  onTestFinished(() => {
    for (const { socket } of all) socket.destroy()
  })
  while (all.length < CONNECTIONS) {
    const some = Array.from({ length: Math.min(200, CONNECTIONS - all.length) }, (_, index) => open(port, all.length + index))
    all.push(...some)
    await vi.waitFor(() => expect(some.filter(({ text }) => text.length < 300)).toHaveLength(0), { timeout: MINUTES, interval: 5 })
  }
  return all
}

function open(port: number, index: number): Follower {
  const socket = connect(port, '127.0.0.1')
  const follower: Follower = { socket, text: '' }
  socket.setEncoding('latin1')
  socket.on('data', (data) => {
    follower.text = (follower.text + data).slice(-1000)
  })
  const rest = index % 2 === 0 ? 'Accept: text/event-stream\r\n\r\n' : UPGRADE
  socket.write(`GET /jobs/${JOBS[index % JOBS.length]}/events HTTP/1.1\r\nHost: x\r\n${rest}`)
  return follower
}

const have = (followers: readonly Follower[], what: string): Promise<void> =>
  vi.waitFor(() => expect(followers.filter(({ text }) => !text.includes(what))).toHaveLength(0), { timeout: 2 * MINUTES, interval: 50 })

test('10,000 idle followers cost little memory each, all get an event, and leave nothing behind', { timeout: 10 * MINUTES }, async () => {
  const bare = await startServer('bare')
  const bareBefore = await bare.memoryAt(0)
  const bareSockets = await openAll(bare.port)
  const bareFull = await bare.memoryAt(CONNECTIONS)
  for (const { socket } of bareSockets) socket.destroy()

  const jobs = await startServer('jobs')
  await jobs.order({ do: 'publish', jobs: JOBS, type: 'queued' })
  const before = await jobs.memoryAt(0)
  const followers = await openAll(jobs.port)
  await have(followers, '"seq":1')
  const full = await jobs.memoryAt(CONNECTIONS)
  await jobs.order({ do: 'publish', jobs: JOBS, type: 'started' })
  await have(followers, '"seq":2')
  if (CONNECTIONS === 10_000) expect((await fetch(`http://127.0.0.1:${jobs.port}/jobs/job-0/events`)).status).toBe(503)
  for (const { socket } of followers) socket.destroy()
  // On a busy machine the last of what the sockets held is let go some time after they have closed.
  const after = await vi.waitFor(
    async () => {
      const found = await jobs.memoryAt(0)
      expect(found.bytes - before.bytes).toBeLessThan((full.bytes - before.bytes) / 10)
      return found
    },
    { timeout: MINUTES, interval: 1000 }
  )

  const each = (one: { bytes: number }, other: { bytes: number }): number => (one.bytes - other.bytes) / CONNECTIONS
  console.log(
    `${CONNECTIONS} idle followers: ${(each(full, before) / 1024).toFixed(1)} KiB each on the heap (bare node:http and ws: ${(each(bareFull, bareBefore) / 1024).toFixed(1)}), ` +
      `${((full.rss - before.rss) / CONNECTIONS / 1024).toFixed(1)} KiB of the process (bare: ${((bareFull.rss - bareBefore.rss) / CONNECTIONS / 1024).toFixed(1)}); ` +
      `left when they are gone: ${((after.bytes - before.bytes) / 1024).toFixed(0)} KiB`
  )
  expect(each(full, before)).toBeLessThan(3 * each(bareFull, bareBefore))
})
