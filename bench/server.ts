/**
 * The server's memory and fan-out, beside bare `ws`, socket.io, better-sse and, if nginx has it, Nchan, on the same machine in the same run:
 * memory per idle follower, events × followers a second, latency from sending to receipt. `npm run bench:server -- --followers 1000,10000 --runs 3`:
 * runs all contestants in turn and prints the medians of each figure and of each run's ratio to bare `ws`.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startNchan } from './server/nchan.ts'

interface Contestant {
  label: string
  kind: 'websocket' | 'sse'
  path: string
  subprotocol?: string
  greeting?: string
  /** The name in contestants.ts. */
  server: string
}

const contestants: Contestant[] = [
  { label: 'bare ws', kind: 'websocket', path: '/', server: 'ws' },
  { label: 'jobtail, WebSocket', kind: 'websocket', path: '/jobs/bench/events', subprotocol: 'jobtail.v1', server: 'jobtail' },
  { label: 'socket.io', kind: 'websocket', path: '/socket.io/?EIO=4&transport=websocket', greeting: '40', server: 'socket.io' },
  { label: 'Nchan, WebSocket', kind: 'websocket', path: '/sub', server: 'nchan' },
  { label: 'better-sse', kind: 'sse', path: '/', server: 'better-sse' },
  { label: 'jobtail, event stream', kind: 'sse', path: '/jobs/bench/events', server: 'jobtail' },
  { label: 'Nchan, event stream', kind: 'sse', path: '/sub', server: 'nchan' }
]

const { values } = parseArgs({
  options: {
    followers: { type: 'string', default: '1000,10000' },
    events: { type: 'string', default: '200' },
    runs: { type: 'string', default: '1' },
    only: { type: 'string', default: '' }
  }
})

/** Followers that connect before the measurement. The first ones mostly cost the loading of code. */
const FIRST = 100
/** Events per batch. All followers receive a batch before the next one; the rate is the median over the batches. */
const BATCH = 10
const LATENCY_EVENTS = 40
const LATENCY_PAUSE_MS = 250

interface Server {
  port: number
  /** Resolves when the server has sent the events. */
  send(count: number, pauseMs: number): Promise<void>
  /** The server's memory in bytes. */
  memory(): Promise<number>
  /** The CPU time that the server has used. */
  cpuMs(): Promise<number>
  stop(): Promise<void>
}

async function ask<T>(child: ChildProcess, told: object): Promise<T> {
  const answer = once(child, 'message')
  child.send(told)
  const [said] = await answer
  return said as T // as: each child answers in the form that is asked for
}

async function startServer(name: string): Promise<Server | undefined> {
  if (name === 'nchan') return startNchan()
  const child = fork(join(import.meta.dirname, 'server/contestants.ts'), [name], { execArgv: ['--expose-gc'] })
  const [{ port }] = await once(child, 'message')
  return {
    port,
    send: (count, pauseMs) => ask(child, { do: 'send', count, pauseMs }),
    memory: () => ask(child, { do: 'memory' }),
    cpuMs: () => ask(child, { do: 'cpu' }),
    async stop() {
      child.kill()
      await once(child, 'exit')
    }
  }
}

interface FanOut {
  ms: number
  /** How busy the followers' process was: 1 is a whole core. */
  busy: number
  p50: number
  p99: number
}

interface Row {
  bytesPerFollower: number
  perSecond: number
  /** CPU time of the server for one event to one follower. Other programs on the machine hardly change it. */
  cpuMicros: number
  busy: number
  p50: number
  p99: number
}

async function measure({ server: name, label: _, ...asked }: Contestant, followers: number, events: number): Promise<Row | undefined> {
  const server = await startServer(name)
  if (!server) return undefined
  const child = fork(join(import.meta.dirname, 'server/followers.ts'))
  const open = (count: number) => ask(child, { do: 'open', port: server.port, count, ...asked })
  try {
    await open(FIRST)
    await fanOut(server, child, FIRST, BATCH, 0)
    const empty = await server.memory()
    await open(followers - FIRST)
    const full = await server.memory()
    const cpuBefore = await server.cpuMs()
    const batches: FanOut[] = []
    for (let sent = 0; sent < events; sent += BATCH) batches.push(await fanOut(server, child, followers, BATCH, 0))
    const cpuAfter = await server.cpuMs()
    const { p50, p99 } = await fanOut(server, child, followers, LATENCY_EVENTS, LATENCY_PAUSE_MS)
    return {
      bytesPerFollower: (full - empty) / (followers - FIRST),
      perSecond: (BATCH * followers * 1000) / median(batches.map(({ ms }) => ms)),
      cpuMicros: ((cpuAfter - cpuBefore) * 1000) / (batches.length * BATCH * followers),
      busy: median(batches.map(({ busy }) => busy)),
      p50,
      p99
    }
  } finally {
    child.kill()
    await server.stop()
  }
}

async function fanOut(server: Server, child: ChildProcess, followers: number, events: number, pauseMs: number): Promise<FanOut> {
  await ask(child, { do: 'expect', count: events * followers })
  const done = once(child, 'message')
  await server.send(events, pauseMs)
  const [result] = await done
  return result
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const number = (value: number, digits = 0): string => value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits })

for (const followers of values.followers.split(',').map(Number)) {
  const rows = new Map<string, (Row & { ofBare: number })[]>()
  for (let run = 0; run < Number(values.runs); run += 1) {
    let bare = Number.NaN
    for (const contestant of contestants) {
      const { label, server } = contestant
      if (!label.includes(values.only)) continue
      const row = await measure(contestant, followers, Number(values.events))
      if (server === 'ws' && row) bare = row.perSecond
      rows.set(label, [...(rows.get(label) ?? []), ...(row ? [{ ...row, ofBare: row.perSecond / bare }] : [])])
    }
  }
  console.log(`\n${number(followers)} followers of one job, events of about 180 bytes\n`)
  console.log(
    '| | kB a follower | events × followers a second | of bare ws | CPU µs each | median ms | 99th percentile ms | followers busy |\n|---|---|---|---|---|---|---|---|'
  )
  for (const [label, runs] of rows) {
    const middle = (pick: (row: Row & { ofBare: number }) => number, digits = 0): string => number(median(runs.map(pick)), digits)
    const cells = [
      middle(({ bytesPerFollower }) => bytesPerFollower / 1000, 1),
      middle(({ perSecond }) => perSecond),
      middle(({ ofBare }) => ofBare, 2),
      middle(({ cpuMicros }) => cpuMicros, 1),
      middle(({ p50 }) => p50, 1),
      middle(({ p99 }) => p99, 1),
      `${middle(({ busy }) => busy * 100)} %`
    ]
    console.log(`| ${label} | ${runs.length > 0 ? cells.join(' | ') : 'left out: nginx with libnginx-mod-nchan is not installed | | | | | | '} |`)
  }
}
