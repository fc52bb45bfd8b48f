/** A contestant's process: a server behind the misbehaving proxy, the parent's orders, samples of memory, and a report at the end. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createProxy } from '../../demo/proxy.ts'
import { type Order, obey } from './faults.ts'
import type { Load } from './load.ts'
import type { Sample } from './verdict.ts'

/** How many samples there are between two lines of output. */
const SAY_EACH = 2

/** What a contestant tells its parent in the end. */
export interface Report<Found> {
  samples: readonly Sample[]
  /** How many requests and handshakes came to the proxy. */
  arrivals: number
  /** How late timers were, in ms, but for the latest of a hundred. On a machine that is too slow nobody connects between two faults. */
  lateMs: number
  found: Found
}

export interface Stage extends Load {
  server: http.Server
  /** Of the proxy's `/jobs`. */
  url: string
  isOver(): boolean
  /** Reports to the parent, and closes proxy and server. */
  end(): Promise<void>
}

/** The process's own memory in kB. Elsewhere than on Linux with the pages of its program, which come and go with the machine's page cache. */
function processKb(): number {
  if (process.platform !== 'linux') return process.memoryUsage.rss() / 1024
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) // proc(5)
}

/** `argv[2]` is the load as JSON. `found` is reported in the end. */
export async function openStage(name: string, found: { read: number }): Promise<Stage> {
  const load = JSON.parse(process.argv[2] ?? '') as Load // as: from the parent
  const server = http.createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  let arrivals = 0
  const proxy = await createProxy({
    target: `http://127.0.0.1:${port}`,
    onArrival() {
      arrivals += 1
    }
  })
  process.once('disconnect', () => process.exit()) // also when the parent is killed
  const startedAt = performance.now()
  const samples: Sample[] = []
  const delay = monitorEventLoopDelay()
  delay.enable()
  // Not `gc()`: after that V8 keeps its free pages, and resident memory is the highest that was ever needed.
  const inspector = new Session()
  inspector.connect()
  async function sample(): Promise<void> {
    await inspector.post('HeapProfiler.collectGarbage')
    const [heapKb, kb, atMs] = [process.memoryUsage().heapUsed / 1024, processKb(), performance.now() - startedAt]
    samples.push({ atMs, heapKb, processKb: kb })
    if (samples.length % SAY_EACH > 0) return
    console.log(
      `${(atMs / 60_000).toFixed(1)} min, ${name}: heap ${(heapKb / 1024).toFixed(1)} MB, process ${(kb / 1024).toFixed(1)} MB, ${found.read} events read`
    )
  }
  process.on('message', (order: Order) => (order.do === 'sample' ? void sample() : obey(proxy, order)))

  return {
    ...load,
    server,
    url: `${proxy.url}/jobs`,
    isOver: () => performance.now() > startedAt + load.durationMs,
    async end() {
      const report: Report<typeof found> = { samples, arrivals, lateMs: delay.percentile(99) / 1e6, found }
      await new Promise<void>((resolve) => process.send?.(report, () => resolve()))
      await proxy.close()
      server.closeAllConnections()
      server.close()
      process.disconnect()
    }
  }
}
