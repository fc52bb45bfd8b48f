/** Frames as a server sends them. */

import type { Frame, Reading, ReadingJob, WireEvent } from '../../src/protocol/frames.ts'
import { text, value } from './damage.ts'
import type { Tape } from './tape.ts'

const cursor = (tape: Tape): string => tape.pick(['e-1', 'a', '~.:_-', 'x'.repeat(128), 'mf3k2x-5', 'tails', '0'])
const job = (tape: Tape): string => tape.pick(['42', 'é', '__proto__', 'a/b?c', '\ud83d\ude00'])
const count = (tape: Tape): number => tape.pick([0, 1, 7, Number.MAX_SAFE_INTEGER, tape.below(2 ** 31)])
const status = (tape: Tape) => tape.pick(['running', 'queued', 'succeeded', 'failed', 'cancelled'] as const)

export const event = (tape: Tape): WireEvent => ({
  id: cursor(tape),
  seq: 1 + tape.below(2 ** 31),
  job: job(tape),
  type: tape.pick(['progress', 'log', 'succeeded', 'x.y_z-1', 'hello', 'gaps']),
  time: tape.oneIn(4) ? text(tape) : '2026-11-21T01:02:03.456Z',
  data: tape.oneIn(4) ? progress(tape) : value(tape)
})

/** Data in the forms that servers use, and in others. */
export const progress = (tape: Tape): unknown =>
  tape.pick<unknown>([
    0.5,
    50,
    -1,
    { current: 1, total: 4 },
    { current: 1, total: 0 },
    { current: '1', total: 4 },
    { ratio: 0.2, current: 1, total: 4 },
    'half',
    null
  ])

export function frame(tape: Tape): Frame {
  const place = () => ({ job: job(tape), epoch: text(tape), seq: count(tape), cursor: cursor(tape), status: status(tape) })
  const ref = tape.oneIn(2) ? { ref: count(tape) } : {}
  switch (tape.below(13)) {
    case 0:
      return { control: 'hello', protocol: 1, heartbeatMs: 15_000, ...(tape.oneIn(2) ? { mux: 128 } : {}) }
    case 1:
      return { control: 'subscribed', ...ref, ...place() }
    case 2:
      return { control: 'done', job: job(tape), cursor: cursor(tape) }
    case 3:
      return { control: 'error', status: 400 + tape.below(200), code: text(tape), message: text(tape), ...(tape.oneIn(2) ? { job: job(tape) } : {}) }
    case 4:
      return { control: 'bye', reason: tape.pick(['shutdown', 'max-age', 'slow', 'auth', 'another']), retryMs: count(tape) }
    case 5:
      return { control: tape.pick(['heartbeat', 'pong']) }
    case 6:
      return { control: 'end', more: tape.oneIn(2) }
    default:
      return event(tape)
  }
}

/** The body of a JSON reading. */
export function reading(tape: Tape): Reading {
  const member = (): ReadingJob =>
    tape.oneIn(6)
      ? { job: job(tape), error: { status: 403, code: 'forbidden', message: text(tape) } }
      : { job: job(tape), epoch: text(tape), seq: count(tape), from: cursor(tape), cursor: cursor(tape), status: status(tape), done: tape.oneIn(2) }
  return {
    protocol: 1,
    heartbeatMs: 1 + tape.below(60_000),
    ...(tape.oneIn(2) ? { mux: 128, pollMs: 2000 } : {}),
    more: tape.oneIn(3),
    jobs: [member(), ...tape.list(3, member)],
    events: tape.list(5, () => event(tape))
  }
}

export const snapshot = (tape: Tape): Record<string, unknown> => ({
  id: job(tape),
  status: status(tape),
  epoch: text(tape),
  seq: count(tape),
  cursor: cursor(tape),
  ...(tape.oneIn(2) ? { progress: tape.oneIn(2) ? progress(tape) : { ratio: 0.5, note: value(tape) } } : {}),
  ...(tape.oneIn(2) ? { result: value(tape) } : {}),
  ...(tape.oneIn(2) ? { error: value(tape) } : {})
})
