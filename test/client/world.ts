/** A client in a virtual world: its server, its transports, what it did, and that it leaves nothing behind. */

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
  /** Every link ever opened. */
  readonly links: VirtualLink[]
  readonly open: VirtualLink[]
  readonly diagnostics: Diagnostic[]
  readonly transports: Record<Name, VirtualTransport>
  /** Links opened, as `name@ms`. */
  readonly starts: string[]
  said(type: Diagnostic['type']): Diagnostic[]
  another(options?: Omit<ClientOptions, 'transports'>): Client
}

export interface WorldOptions extends Omit<ClientOptions, 'transports'> {
  /** What each transport does; `serving` where it isn't said. */
  scripts?: Partial<Record<Name, Script>>
  canUpdate?: TransportOptions['canUpdate']
  /** Without one the look and the snapshot answer after 10 ms. */
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
    said: (type) => diagnostics.filter((each) => each.type === type)
  }
  worlds.push(world)
  return world
}

/** A loop over a subscription, as it goes. */
export interface Loop {
  readonly events: JobEvent[]
  readonly seqs: number[]
  /** What it threw. */
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

/** Nothing open, nothing due. */
export async function expectNothingLeft(world: World): Promise<void> {
  await elapse(0)
  expect(world.open.map(({ transport }) => transport)).toEqual([])
  expect(world.http.open).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
}

/** For a test file in virtual time: afterwards every client is closed, and nothing is left of any. */
export function useVirtualTime(): { warn: MockInstance<typeof console.warn> } {
  const spies = {} as { warn: MockInstance<typeof console.warn> } // as: filled before each test
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  beforeEach(() => {
    vi.useFakeTimers()
    spies.warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    // Full jitter may be 0: with real chance, a wait that a test relies on would be over too soon once in some hundred runs.
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
