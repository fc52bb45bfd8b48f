/**
 * A server restarts, and all of its clients reconnect. Compares the most connections within any 100 ms with the same number of clients spread evenly.
 * Real clients in virtual time.
 */

import { describe, expect, test, vi } from 'vitest'
import type { ErrorControl } from '../../src/protocol/frames.ts'
import { Connections } from '../../src/server/connections.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import type { Settings } from '../../src/server/server-options.ts'
import { problem } from './virtual-fetch.ts'
import { elapse, elapseRoughly, settle } from './virtual-time.ts'
import { serving, type VirtualLink } from './virtual-transport.ts'
import { createWorld, expectNothingLeft, NAMES, useVirtualTime, type World } from './world.ts'

useVirtualTime()

const WINDOW_MS = 100

/** What the server does with each connection. */
type Mood = 'serves' | 'refuses' | ErrorControl

interface Herd {
  readonly world: World
  mood: Mood
  /** How many clients have got the event that is appended when the server is back. */
  readonly served: number
  /** When connections were opened, in ms after `from`. */
  connects(from: number): number[]
}

/** All clients are connected, for long enough that the connections count as useful. */
async function gather(clients: number): Promise<Herd> {
  const world = createWorld({ onDiagnostic() {} })
  const serve = serving(world.log)
  let mood: Mood = 'serves'
  let served = 0
  function receive(link: VirtualLink): void {
    if (mood === 'serves') serve(link)
    else if (mood === 'refuses') link.fail(link.transport === 'websocket' ? 'refused' : 'network')
    else link.push({ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 }, mood)
  }
  async function follow(): Promise<void> {
    const client = world.another()
    for await (const { type } of client.subscribe('42')) if (type === 'succeeded') served += 1
  }
  for (const name of NAMES) world.transports[name].script = receive
  world.log.fill('42', 1)
  for (let client = 0; client < clients; client += 1) void follow()
  await elapse(50)
  await elapseRoughly(6000)
  expect(world.open).toHaveLength(clients)
  return {
    world,
    get mood() {
      return mood
    },
    set mood(next) {
      mood = next
      if (next === 'serves') world.http.faults.events = undefined
      else if (next === 'refuses') world.http.faults.events = 'break'
      else world.http.faults.events = problem(next.status, next.code, { 'retry-after': `${(next.retryAfterMs ?? 0) / 1000}` })
    },
    get served() {
      return served
    },
    connects(from) {
      const all = [...world.links.map(({ startedAt }) => startedAt), ...world.http.asked.map(({ at }) => at)]
      return all.map((at) => at - from).filter((at) => at >= 0)
    }
  }
}

/** The most connections within any window. */
function peakOf(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  let most = 0
  let first = 0
  for (const [last, at] of sorted.entries()) {
    while (at - (sorted[first] ?? at) >= WINDOW_MS) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** Prints the peak. Returns it as a multiple of what it would be if the clients opened one connection each, spread evenly over the time. */
function ratio(what: string, times: readonly number[], clients: number, withinMs: number): number {
  const even = (clients * WINDOW_MS) / withinMs
  const peak = peakOf(times)
  console.log(
    `herd: ${what}: ${times.length} connections, at most ${peak} within ${WINDOW_MS} ms; evenly it were ${even.toFixed(0)}: ${(peak / even).toFixed(2)} times as many`
  )
  return peak / even
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 20) {
    await vi.advanceTimersByTimeAsync(Math.min(20, left))
    await settle()
  }
}

/** The server serves again, and every client gets the event that was appended. */
async function serveAgain(herd: Herd, clients: number): Promise<void> {
  herd.mood = 'serves'
  herd.world.log.append('42', 'succeeded', {})
  for (let waited = 0; waited < 300 && herd.served < clients; waited += 1) await pass(200)
  expect(herd.served).toBe(clients)
  await expectNothingLeft(herd.world)
}

/** The `retryMs` that the server kit tells so many clients when it closes. */
function byeTo(clients: number): number {
  const settings = { maxReaders: clients, maxReadersPerAddress: clients, maxConnectionAgeMs: Infinity } as Settings // as: these are what is read
  const connections = new Connections(settings, createMetrics())
  let told = 0
  for (let client = 0; client < clients; client += 1) {
    const slot = connections.admit(undefined, 'sse')
    slot.hold({
      bye(_, retryMs) {
        told = retryMs
        slot.release()
      },
      destroy() {}
    })
  }
  void connections.close(0)
  return told
}

describe('clients come back', { timeout: 120_000 }, () => {
  test('after a bye, spread over its retryMs', async () => {
    const clients = 5000
    const retryMs = byeTo(clients)
    const herd = await gather(clients)
    const at = performance.now()
    for (const link of herd.world.open) {
      link.push({ control: 'bye', reason: 'shutdown', retryMs })
      link.end()
    }
    await serveAgain(herd, clients)
    expect(ratio(`a bye, ${clients} clients`, herd.connects(at), clients, retryMs)).toBeLessThan(2)
  })

  test.each(['a bye', 'a crash'])('after %s and 3 s of refusals, spread by backoff', async (how) => {
    const clients = 1000
    const awayMs = 3000
    const herd = await gather(clients)
    const at = performance.now()
    herd.mood = 'refuses'
    for (const link of herd.world.open) {
      if (how === 'a bye') link.push({ control: 'bye', reason: 'shutdown', retryMs: byeTo(clients) })
      link.fail('cut')
    }
    await pass(awayMs)
    const first = herd.connects(at).filter((each) => each < 1500).length
    const second = herd.connects(at).length - first
    await serveAgain(herd, clients)
    console.log(`herd: ${how}: ${first} refused in its first half, ${second} in its second`)
    if (how === 'a crash') expect(second).toBeLessThan(first / 2)
    // A connection is a transport's or a single read's: two for each client.
    expect(ratio(`${how} and ${awayMs} ms of refusals, ${clients} clients, since its return`, herd.connects(at + awayMs), clients, awayMs)).toBeLessThan(4)
  })

  test.each([
    ['the whole connection', {}],
    ['one job', { job: '42' }]
  ])('after a Retry-After for %s: no sooner than it says, and spread over as long again', async (what, about) => {
    const clients = 1000
    const retryAfterMs = 2000
    const herd = await gather(clients)
    const at = performance.now()
    const busy: ErrorControl = { control: 'error', ...about, status: 503, code: 'busy', message: 'away', retryAfterMs }
    herd.mood = busy
    for (const link of herd.world.open) link.push(busy)
    await elapse(20)
    const before = herd.connects(at).length
    await serveAgain(herd, clients)
    const times = herd.connects(at)
    expect(before).toBe(0)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(retryAfterMs)
    expect(ratio(`Retry-After for ${what}, ${clients} clients`, times, clients, retryAfterMs)).toBeLessThan(3)
  })
})
