/** One subscription that is left at some phase. Runs in Node, and as text in a page, so it imports nothing at run time. */

import type * as Jobtail from '../../src/index.ts'

export const phases = ['at once', 'connecting', 'live', 'reading', 'waiting', 'paused'] as const
export const ways = ['close', 'return', 'abort', 'client'] as const

export interface Cycle {
  url: string
  job: string
  transports: readonly string[]
  /** The phase at which it is left, and the time in ms after which it is left in any case. */
  phase: (typeof phases)[number]
  limitMs: number
  way: (typeof ways)[number]
}

/** A client that many cycles use. Nothing of a cycle may stay in it. */
export interface Shared {
  client: Jobtail.Client
  listeners: Set<(type: string) => void>
}

/** Resolves with the phases that it reached. */
export async function cycle(
  jobtail: typeof Jobtail,
  { url, job, transports, phase, limitMs, way }: Cycle,
  lasting: AbortSignal,
  shared: Map<string, Shared>
): Promise<string[]> {
  const { createClient, webSocket, sse, longPoll, shortPoll } = jobtail
  const all = [webSocket(), sse(), longPoll(), shortPoll()]
  const came = new Set<string>()
  const arrived = Promise.withResolvers<void>()
  const limit = setTimeout(arrived.resolve, limitMs)
  const come = (to: string): void => {
    came.add(to)
    if (to === phase) arrived.resolve()
  }
  const hear = (type: string): void => come(type === 'probe-started' ? 'connecting' : type)
  const make = (listeners: Set<typeof hear>): Shared => ({
    listeners,
    client: createClient({
      url,
      memory: false,
      transports: all.filter(({ name }) => transports.includes(name)),
      probeTimeoutMs: limitMs,
      staggerMs: 30,
      bufferSize: phase === 'paused' ? 2 : 1000,
      retry: { baseMs: 100, maxMs: 400 },
      onDiagnostic({ type }) {
        for (const listener of listeners) listener(type)
      }
    })
  })
  const key = `${transports} ${phase}`
  const used = way === 'client' ? make(new Set()) : (shared.get(key) ?? make(new Set()))
  if (way !== 'client') shared.set(key, used)
  const { client, listeners } = used
  listeners.add(hear)
  const own = new AbortController()
  const subscription = client.subscribe(job, { signal: way === 'abort' ? own.signal : lasting })
  const forget = subscription.onChange(() => {})
  void subscription.result
  const iterator = subscription[Symbol.asyncIterator]()
  const read = async (): Promise<void> => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      come('reading')
      if (phase === 'paused') return
    }
  }
  const loop = read().catch((error: unknown) => {
    if (own.signal.aborted) return
    if (!jobtail.isJobtailError(error)) throw error
    come('failing')
    arrived.resolve()
  })
  if (phase !== 'at once') await arrived.promise
  clearTimeout(limit)
  if (way === 'close') subscription.close()
  else if (way === 'return') await iterator.return?.()
  else if (way === 'abort') own.abort()
  else client.close()
  forget()
  listeners.delete(hear)
  await loop
  return [...came]
}
