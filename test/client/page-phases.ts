/** Every phase that a connection can be in when an event of its page comes. */

import { expect } from 'vitest'
import type { Subscription } from '../../src/types.ts'
import { problem } from './virtual-fetch.ts'
import { elapse } from './virtual-time.ts'
import { failing, hanging, type Script, serving } from './virtual-transport.ts'
import { createWorld, type Loop, type Name, run, type World, type WorldOptions } from './world.ts'

export const all = (script: Script): Record<Name, Script> => ({ websocket: script, sse: script, 'long-poll': script, 'short-poll': script })

/** Answers that the server is busy for so many ms. */
export const busy =
  (retryAfterMs: number): Script =>
  (link) =>
    link.after(10, () => link.push({ control: 'error', status: 503, code: 'busy', message: 'busy', retryAfterMs }))

/** How many links and requests there were. */
export const requestCount = (world: World): number => world.links.length + world.http.asked.length
export const openOf = (world: World): string[] => [
  ...world.open.map(({ transport }) => transport),
  ...world.http.asked.filter(({ isOpen }) => isOpen).map(({ resource }) => resource)
]

export interface Phase extends WorldOptions {
  begin?(world: World): void
  /** The ms until the phase is reached. */
  ms: number
  check(world: World, job: Subscription): void
  /** Removes what keeps the job from going on. */
  mend?(world: World): void
}

export const mend = (world: World): void => {
  for (const transport of Object.values(world.transports)) transport.script = serving(world.log)
  world.http.faults = {}
}

let token: string | Promise<string>

export const phases: Record<string, Phase> = {
  'the token source is pending': {
    token: () => token,
    begin() {
      token = new Promise(() => {})
    },
    ms: 100,
    check: (world) => expect(requestCount(world)).toBe(0),
    mend() {
      token = 'secret'
    }
  },
  'the memory is read': {
    memory: { read: () => new Promise(() => {}), write: async () => {} },
    ms: 20,
    check: (world) => expect(world.links).toEqual([])
  },
  'no transport answers': {
    scripts: all(hanging),
    begin: ({ http }) => Object.assign(http.faults, { events: 'hang' }),
    ms: 600,
    check: (world) => expect(openOf(world)).toEqual(['websocket', 'sse', 'long-poll', 'events']),
    mend
  },
  'live, with a better transport still connecting': {
    scripts: { websocket: hanging },
    ms: 1000,
    check: (world) => expect(openOf(world)).toEqual(['websocket', 'sse']),
    mend
  },
  live: { ms: 1000, check: (world) => expect(openOf(world)).toEqual(['websocket']) },
  'pausing before the next race': {
    scripts: all(failing('network')),
    begin: ({ http }) => Object.assign(http.faults, { events: 'break' }),
    retry: { baseMs: 60_000, maxMs: 60_000 },
    ms: 200,
    check: (_, job) => expect(job.state.connection.phase).toBe('waiting'),
    mend
  },
  'pausing because the server asked for it': {
    scripts: all(busy(20_000)),
    begin: ({ http }) => Object.assign(http.faults, { events: problem(503, 'busy', { 'retry-after': '20' }) }),
    ms: 200,
    check: (_, job) => expect(job.state.connection.phase).toBe('waiting'),
    mend
  },
  'paused for a slow reader': {
    bufferSize: 10,
    begin: ({ log }) => log.fill('42', 50),
    ms: 200,
    check: (world) => expect(world.diagnosticsOf('live')).not.toEqual([])
  }
}

export async function reach({ begin, ms, check, mend: _, ...options }: Phase): Promise<{ world: World; job: Subscription; loop: Loop }> {
  const world = createWorld(options)
  world.log.fill('42', 3)
  begin?.(world)
  const job = world.client.subscribe('42')
  const loop = run(job)
  await elapse(ms)
  check(world, job)
  return { world, job, loop }
}
