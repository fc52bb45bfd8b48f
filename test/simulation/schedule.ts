/** Schedules, as fast-check makes and shrinks them. */

import fc from 'fast-check'
import { describeStep, type PathFault, type Step } from './faults.ts'

export const JOBS = ['a', 'b', 'c/ü 😀'] as const
export const CLIENTS = 2

const TRANSPORTS = [
  ['websocket', 'sse', 'long-poll', 'short-poll'],
  ['sse', 'long-poll', 'short-poll'],
  ['long-poll', 'short-poll'],
  ['short-poll'],
  ['websocket', 'long-poll'],
  ['websocket'],
  ['sse']
] as const

export type TransportName = (typeof TRANSPORTS)[number][number]

export interface Setup {
  transports: readonly TransportName[]
  // The path.
  latencyMs: number
  jitterMs: number
  /** How long a request takes to the server: longer than the first probe timeout. 0: only the latency. */
  farMs: number
  pieces: number
  isForeign: boolean
  // The server.
  heartbeatMs: number
  mux: number
  pageSize: number
  /** The server respects windows, and answers single reads as NDJSON. */
  hasWindows: boolean
  hasLines: boolean
  delayMs: number
  /** How long a stream pauses between `hello` and `subscribed`. */
  openMs: number
  ignoresWait: boolean
  hasTokens: boolean
  /** When the last job is created. */
  lateMs: number
  /** How often each job gets an event. 0: only in steps. */
  everyMs: number
  /** For how long at the end no connection lasts, after all open ones have died. 0: not at all. */
  hopelessMs: number
  // The client.
  bufferSize: number
  bufferBytes: number
  probeTimeoutMs: number
  staggerMs: number
  retryBaseMs: number
  retryMaxMs: number
  attempts: number
  firstLook: boolean
  remembers: boolean
}

export interface Schedule {
  /** For latencies, cuts and backoff. */
  seed: number
  setup: Setup
  steps: readonly Step[]
}

const DAY_MS = 86_400_000
const ms = (max: number, min = 0): fc.Arbitrary<number> => fc.integer({ min, max })
const job = fc.constantFrom(...JOBS)
const client = fc.nat(CLIENTS - 1)
const which = fc.nat(5)
const lasting = fc.oneof(ms(1000, 50), ms(6000, 50), ms(20_000, 50))
const target = fc.constantFrom('websocket', 'sse', 'long-poll', 'json', 'streams', 'http', 'all', 'all')
const streaming = fc.constantFrom('sse', 'streams', 'all')

const anySetup = fc.record({
  transports: fc.constantFrom(TRANSPORTS[0], ...TRANSPORTS),
  latencyMs: ms(120, 1),
  jitterMs: fc.oneof(fc.constant(0), ms(300)),
  pieces: fc.constantFrom(1, 2, 6),
  isForeign: fc.boolean(),
  heartbeatMs: fc.constantFrom(2000, 5000, 15_000),
  mux: fc.constantFrom(1, 2, 128, 128),
  pageSize: fc.constantFrom(1, 3, 100),
  hasWindows: fc.constantFrom(true, true, true, true, true, false),
  hasLines: fc.boolean(),
  delayMs: ms(5),
  openMs: fc.constantFrom(0, 0, 0, 400),
  ignoresWait: fc.constantFrom(false, false, false, true),
  hasTokens: fc.boolean(),
  lateMs: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, ms(4000), ms(12_000)),
  everyMs: fc.constantFrom(0, 100, 700, 3000),
  hopelessMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, ms(300, 10)),
  bufferSize: fc.constantFrom(2, 10, 1000),
  bufferBytes: fc.constantFrom(2 ** 22, 1200, 1500, 4000),
  probeTimeoutMs: fc.constantFrom(5000, 5000, 1500, 20_000),
  staggerMs: fc.constantFrom(250, 250, 250, 0, 3000, 2 ** 40, Number.POSITIVE_INFINITY),
  retryBaseMs: fc.constantFrom(250, 250, 50, 2000),
  retryMaxMs: fc.constantFrom(30_000, 30_000, 5000),
  attempts: fc.constantFrom(...Array.from({ length: 7 }, () => Number.POSITIVE_INFINITY), 5),
  firstLook: fc.boolean(),
  remembers: fc.boolean()
})

/** A slow path needs a server with a long heartbeat, and a client whose probe timeout grows. */
const setup: fc.Arbitrary<Setup> = fc
  .tuple(anySetup, fc.nat(15))
  .map(([setup, chance]) =>
    chance === 1
      ? { ...setup, probeTimeoutMs: 1500, farMs: 4000, bufferBytes: 2 ** 22, heartbeatMs: 15_000, attempts: Number.POSITIVE_INFINITY, hopelessMs: 0 }
      : { ...setup, farMs: 0 }
  )

const path = (amounts: fc.Arbitrary<number>, targets: fc.Arbitrary<string>, ...faults: PathFault[]): fc.Arbitrary<object> =>
  fc.record({ do: fc.constantFrom(...faults), target: targets, forMs: lasting, amount: amounts })

const some = (weight: number, arbitrary: fc.Arbitrary<object>): fc.WeightedArbitrary<object> => ({ weight, arbitrary })
const only = (what: Step['do'], fields: Record<string, fc.Arbitrary<unknown>> = {}): fc.Arbitrary<object> => fc.record({ do: fc.constant(what), ...fields })

const step = fc
  .tuple(
    fc.oneof(ms(30), ms(800), ms(5000)),
    fc.oneof(
      // Every other step shrinks to this one.
      { withCrossShrink: true },
      some(1, only('pass')),
      some(11, path(ms(2000), target, 'refused', 'unanswered', 'mute')),
      some(7, path(ms(1000), fc.constantFrom('all', 'streams', 'http'), 'killed')),
      some(3, path(ms(3000, 50), target, 'stalled', 'slow-path')),
      some(3, path(ms(2000), target, 'portal')),
      some(4, path(ms(1500), target, 'cut')),
      some(8, path(ms(1), streaming, 'buffered')),
      some(9, path(ms(1000, 300), fc.constantFrom('http', 'all', 'long-poll'), 'gateway-timeout')),
      some(62, path(ms(1), fc.constantFrom('json', 'all'), 'repeated-answer')),
      some(8, path(ms(1), fc.constantFrom('json', 'http'), 'ignorant-cache')),
      some(6, path(ms(1), fc.constantFrom('all', 'all', 'http', 'json'), 'stripped')),
      some(4, path(ms(1), fc.constantFrom('all', 'http', 'json'), 'not-found', 'login', 'no-content', 'redirected')),
      some(4, path(ms(1), fc.constantFrom('all', 'http', 'json'), 'not-found', 'login', 'no-content', 'redirected')),
      some(
        4,
        path(
          fc.oneof({ weight: 4, arbitrary: ms(9000) }, { weight: 1, arbitrary: ms(31 * DAY_MS, 29 * DAY_MS) }),
          fc.constantFrom('all', 'http', 'json'),
          'too-many'
        )
      ),
      some(2, only('reset', { target })),
      some(2, only('dead', { target })),
      some(2, only('busy', { forMs: ms(15_000, 500) })),
      some(5, only('job-busy', { job, retryMs: ms(5000) })),
      some(4, only('new-token')),
      some(3, only('restart', { keeps: fc.constantFrom('log', 'part', 'nothing'), downMs: fc.oneof(fc.constant(0), ms(8000)) })),
      some(3, only('trimmed', { job, keep: ms(8, 1) })),
      some(2, only('replaced', { job, keep: ms(8) })),
      some(5, only('said-again', { job, by: ms(5, 1) })),
      some(5, only('sent-again', { job, by: ms(5, 1) })),
      some(3, only('bye', { reason: fc.constantFrom('shutdown', 'max-age', 'slow', 'auth'), target, retryMs: ms(3000) })),
      some(1, only('mux', { mux: fc.constantFrom(1, 2, 128) })),
      some(6, fc.oneof(only('revoked'), only('forbidden', { job }), only('expired', { job }))),
      some(2, only('offline', { forMs: ms(8000, 100), effect: fc.constantFrom('none', 'dead', 'reset') })),
      some(2, only('page-cache', { forMs: ms(20_000, 100) })),
      some(2, only('frozen', { forMs: ms(20_000, 100) })),
      some(2, only('sleep', { forMs: ms(60_000, 100), effect: fc.constantFrom('none', 'dead', 'reset') })),
      some(2, only('hidden', { forMs: ms(30_000, 100) })),
      some(1, only('long-hidden', { forMs: ms(500_000, 320_000) })),
      some(1, only('network-change', { type: fc.constantFrom('wifi', 'cellular') })),
      some(4, only('append', { job, count: ms(12, 1) })),
      some(1, only('end', { job, type: fc.constantFrom('succeeded', 'failed', 'cancelled') })),
      some(
        10,
        only('read', {
          job,
          client,
          from: fc.constantFrom('start', 'start', 'tail', 'cursor', 'first-cursor'),
          pace: fc.constantFrom('fast', 'fast', 'fast', 'slow', 'stuck'),
          throwsGaps: fc.constantFrom(false, false, false, true)
        })
      ),
      some(3, only('follow', { job, client, by: fc.constantFrom('onChange', 'result') })),
      some(3, only('leave', { which, how: fc.constantFrom('close', 'abort', 'break') })),
      some(1, only('hurry', { which }))
    )
  )
  .map(([afterMs, what]) => ({ afterMs, ...what }) as Step) // as: the records are those of the type

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.integer(),
  setup,
  // There is always a reader from the beginning: without one, a schedule shows nothing.
  steps: fc
    .array(step, { minLength: 8, maxLength: 32, size: 'max' })
    .map((steps): Step[] => [{ afterMs: 0, do: 'read', job: 'a', client: 0, from: 'start', pace: 'fast', throwsGaps: false }, ...steps])
})

export const describeSchedule = ({ seed, setup, steps }: Schedule): string =>
  [
    `chance from ${seed}`,
    ...Object.entries(setup).map(([name, value]) => `${name} ${value}`),
    ...steps.filter((step) => step.do !== 'pass' || step.afterMs > 0).map(describeStep)
  ]
    .map((line) => `  ${line}`)
    .join('\n')
