/** A client in a virtual world: its server, its transports, a record of what it did, and a check that it leaves nothing behind. */

import { afterEach, beforeEach, expect, type MockInstance, vi } from 'vitest'
import { createClient } from '../../src/core.ts'
import type { Client, ClientOptions, Diagnostic, JobEvent, Subscription } from '../../src/types.ts'
import { createRandom } from '../simulation/random.ts'
import { type VirtualFetch, virtualFetch } from './virtual-fetch.ts'
import { createVirtualLog, type VirtualLog } from './virtual-log.ts'
import { elapse } from './virtual-time.ts'
import { type Script, serving, type TransportOptions, type VirtualLink, type VirtualTransport, virtualTransport } from './virtual-transport.ts'

export const NAMES = ['websocket', 'sse', 'long-poll', 'short-poll'] as const
export type Name = (typeof NAMES)[number]

export interface World {
  readonly log: VirtualLog
  readonly client: Client
  readonly http: VirtualFetch
  /** Every link that was opened. */
  readonly links: VirtualLink[]
  readonly open: VirtualLink[]
  readonly diagnostics: Diagnostic[]
  readonly transports: Record<Name, VirtualTransport>
  /** When links were opened, as `name@ms`. */
  readonly starts: string[]
  diagnosticsOf(type: Diagnostic['type']): Diagnostic[]
  another(options?: Omit<ClientOptions, 'transports'>): Client
}

export interface WorldOptions extends Omit<ClientOptions, 'transports'> {
  /** The script of each transport. The default is `serving`. */
  scripts?: Partial<Record<Name, Script>>
  canUpdate?: TransportOptions['canUpdate']
  /** How long single reads and snapshots take, in ms. The default is 10. */
  httpDelayMs?: number
}

const worlds: World[] = []

export function createWorld({ scripts = {}, canUpdate = true, httpDelayMs = 10, ...options }: WorldOptions = {}): World {
  const log = createVirtualLog()
  const http = virtualFetch(log, httpDelayMs)
  const links: VirtualLink[] = []
  const diagnostics: Diagnostic[] = []
  const startedAt = performance.now()
  const transports = Object.fromEntries(NAMES.map((name) => [name, virtualTransport(name, links, scripts[name] ?? serving(log), { canUpdate })])) as Record<
    Name,
    VirtualTransport
  > // as: fromEntries forgets the keys
  const another = (more: Omit<ClientOptions, 'transports'> = {}): Client =>
    createClient({
      url: 'https://example.test/jobs',
      transports: Object.values(transports),
      fetch: http.fetch,
      onDiagnostic: (diagnostic) => diagnostics.push(diagnostic),
      ...options,
      ...more
    })
  const world: World = {
    log,
    http,
    links,
    diagnostics,
    transports,
    another,
    client: another(),
    get open() {
      return links.filter(({ isOpen }) => isOpen)
    },
    get starts() {
      return links.map((link) => `${link.transport}@${link.startedAt - startedAt}`)
    },
    diagnosticsOf: (type) => diagnostics.filter((each) => each.type === type)
  }
  worlds.push(world)
  return world
}

/** A loop over a subscription: its events so far, and how it ends. */
export interface Loop {
  readonly events: JobEvent[]
  readonly seqs: number[]
  /** What the loop threw. */
  error: unknown
  state: 'running' | 'ended' | 'threw'
}

export function run(subscription: Subscription): Loop {
  const events: JobEvent[] = []
  const loop: Loop = {
    events,
    get seqs() {
      return events.map(({ seq }) => seq)
    },
    error: undefined,
    state: 'running'
  }
  const read = async (): Promise<void> => {
    try {
      for await (const event of subscription) events.push(event)
      loop.state = 'ended'
    } catch (error) {
      loop.error = error
      loop.state = 'threw'
    }
  }
  void read()
  return loop
}

export const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Expects that nothing is open and no timer is set. */
export async function expectNothingLeft(world: World): Promise<void> {
  await elapse(0)
  expect(world.open.map(({ transport }) => transport)).toEqual([])
  expect(world.http.open).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
}

/** Sets a test file up for virtual time. After each test every client is closed, and nothing may be left of it. */
export function useVirtualTime(): { warn: MockInstance<typeof console.warn> } {
  const spies = {} as { warn: MockInstance<typeof console.warn> } // as: filled before each test
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  beforeEach(() => {
    vi.useFakeTimers()
    spies.warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    // Full jitter may choose 0. With real chance, a pause that a test relies on would be too short once in some hundred runs.
    vi.spyOn(Math, 'random').mockImplementation(createRandom(1))
    process.on('unhandledRejection', note)
  })
  afterEach(async () => {
    for (const world of worlds) world.client.close()
    for (const world of worlds.splice(0)) await expectNothingLeft(world)
    process.off('unhandledRejection', note)
    expect(rejections.splice(0)).toEqual([])
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
  return spies
}
