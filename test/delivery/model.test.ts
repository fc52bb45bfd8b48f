import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type * as position from '../../src/policy/position.ts'
import { play } from './simulation/schedule.ts'

type Accept = typeof position.accept

const variant = vi.hoisted(() => ({ accept: undefined as Accept | undefined })) // as: its type is to be wider than its first value
vi.mock(import('../../src/policy/position.ts'), async (original) => {
  const real = await original()
  return { ...real, accept: (...args) => (variant.accept ?? real.accept)(...args) }
})
const { accept } = await vi.importActual<typeof position>('../../src/policy/position.ts')

const schedules = fc.property(fc.uint8Array({ minLength: 40, maxLength: 300, size: 'max' }), (tape) => {
  // Chance that is reproducible with the counterexample (the minimal standard generator of Park and Miller).
  let chance = 1
  vi.spyOn(Math, 'random').mockImplementation(() => {
    chance = (chance * 16807) % 2147483647
    return chance / 2147483647
  })
  play(tape)
})

afterEach(() => vi.restoreAllMocks())

describe('any schedule of overlapping readings', () => {
  test('brings every reader each event once and in order, or a gap of what was lost', { timeout: 60_000 }, () => {
    fc.assert(schedules, { numRuns: 10_000 })
  })
})

/** Deliberate mistakes that the simulation has to find, which proves that it works. */
const mistakes: Record<string, Accept> = {
  'an event is delivered again': (position, told, asked) => {
    const accepted = accept(position, told, asked)
    return accepted && { ...accepted, position: { ...accepted.position, seq: told.seq, cursor: told.cursor } }
  },
  'two epochs count as one': (position, told, asked) => accept({ ...position, epoch: position.epoch && told.epoch }, told, asked),
  'an answer from before a change of the epoch counts as a later one': (position, told, asked) =>
    accept(position, told, asked.cursor === undefined && position.epoch !== undefined ? position : asked),
  'a tail requested again counts as the first one': (position, told, asked) => accept(position, told, asked.cursor === 'tail' ? position : asked),
  'the cursor of another reader counts as its own': (position, told, asked) => accept(position, told, asked.cursor === 'tail' ? asked : position),
  'a gap is not reported': (position, told, asked) => {
    const accepted = accept(position, told, asked)
    return accepted && { position: accepted.position }
  },
  'a gap is one too small': (position, told, asked) => {
    const accepted = accept(position, told, asked)
    return accepted?.gap?.missed ? { ...accepted, gap: { ...accepted.gap, missed: accepted.gap.missed - 1 } } : accepted
  },
  'nothing keeps one from going back to an epoch that was left': (position, told) => accept({ ...position, left: [] }, told, position)
}

describe('the simulation notices when', () => {
  afterEach(() => {
    variant.accept = undefined
  })

  test.each(Object.entries(mistakes))('%s', (_, mistaken) => {
    variant.accept = mistaken
    expect(fc.check(schedules, { numRuns: 6000, endOnFailure: true }).failed).toBe(true)
  })
})
