import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accept, type LogPosition, startingAt } from '../../src/policy/position.ts'
import type { Gap, Position } from '../../src/types.ts'

const at = (epoch: string, seq: number, ...left: string[]): Position => ({ epoch, seq, cursor: `${epoch}-${seq}`, left })
const told = (epoch: string, seq: number): LogPosition => ({ epoch, seq, cursor: `${epoch}-${seq}` })
const tail = startingAt('tail')
const oldest = startingAt(undefined)

interface Row {
  what: string
  position: Position
  /** The position that the reading was requested from; by default the reader's own. */
  asked?: Position
  told: LogPosition
  /** `undefined`: the reader ignores the reading. */
  becomes: Position | undefined
  gap?: Gap
}

/** The clauses of "Gaps are derived" in PROTOCOL.md §6, in order. */
const table: readonly Row[] = [
  { what: 'S = L: all is well', position: at('a', 5), told: told('a', 5), becomes: at('a', 5) },
  { what: 'S = L = 0', position: at('a', 0), told: told('a', 0), becomes: at('a', 0) },
  { what: 'S < L: it drops what it has had', position: at('a', 5), told: told('a', 2), becomes: at('a', 5) },
  { what: 'S < L, asked for from the oldest', position: at('a', 5), asked: oldest, told: told('a', 0), becomes: at('a', 5) },
  { what: 'S < L, asked for by another from a cursor', position: at('a', 5), asked: startingAt('a-3'), told: told('a', 3), becomes: at('a', 5) },
  { what: 'S = L, asked for as tail', position: at('a', 5), asked: tail, told: told('a', 5), becomes: at('a', 5) },

  { what: 'S > L, asked for from L', position: at('a', 5), told: told('a', 9), becomes: at('a', 9), gap: { missed: 4, reason: 'retention' } },
  {
    what: 'S > L, asked for from before L',
    position: at('a', 5),
    asked: at('a', 2),
    told: told('a', 6),
    becomes: at('a', 6),
    gap: { missed: 1, reason: 'retention' }
  },
  {
    what: 'S > L, asked for from the oldest',
    position: at('a', 5),
    asked: oldest,
    told: told('a', 7),
    becomes: at('a', 7),
    gap: { missed: 2, reason: 'retention' }
  },
  { what: 'S > L, asked for from another reader’s place further on', position: at('a', 5), asked: at('a', 9), told: told('a', 9), becomes: undefined },
  { what: 'S > L, asked for from a cursor whose place is not known', position: at('a', 5), asked: startingAt('a-9'), told: told('a', 9), becomes: undefined },
  { what: 'S > L, asked for as tail', position: at('a', 5), asked: tail, told: told('a', 9), becomes: undefined },
  { what: 'S > L, asked for from another epoch', position: at('a', 5), asked: at('b', 2), told: told('a', 9), becomes: undefined },

  {
    what: 'another epoch: it goes on from there',
    position: at('a', 5),
    told: told('b', 0),
    becomes: at('b', 0, 'a'),
    gap: { missed: undefined, reason: 'epoch' }
  },
  { what: 'another epoch, trimmed', position: at('a', 5), told: told('b', 3), becomes: at('b', 3, 'a'), gap: { missed: undefined, reason: 'epoch' } },
  {
    what: 'another epoch, further on in number',
    position: at('a', 5),
    told: told('b', 8),
    becomes: at('b', 8, 'a'),
    gap: { missed: undefined, reason: 'epoch' }
  },
  { what: 'a third epoch', position: at('b', 5, 'a'), told: told('c', 0), becomes: at('c', 0, 'a', 'b'), gap: { missed: undefined, reason: 'epoch' } },
  {
    what: 'another epoch, asked for from before L',
    position: at('a', 5),
    asked: at('a', 2),
    told: told('b', 0),
    becomes: at('b', 0, 'a'),
    gap: { missed: undefined, reason: 'epoch' }
  },
  { what: 'another epoch, later or earlier, asked for from the oldest', position: at('a', 5), asked: oldest, told: told('b', 3), becomes: undefined },
  { what: 'another epoch, asked for as tail', position: at('a', 5), asked: tail, told: told('b', 3), becomes: undefined },
  { what: 'another epoch, asked for by a reader who is there', position: at('a', 5), asked: at('b', 3), told: told('b', 3), becomes: undefined },
  { what: 'an epoch already left', position: at('b', 5, 'a'), told: told('a', 7), becomes: undefined },
  { what: 'an epoch already left, asked for from the oldest', position: at('b', 5, 'a'), asked: oldest, told: told('a', 0), becomes: undefined },

  { what: 'no cursor, S = 0', position: oldest, told: told('a', 0), becomes: at('a', 0) },
  { what: 'no cursor, S > 0', position: oldest, told: told('a', 3), becomes: at('a', 3), gap: { missed: 3, reason: 'retention' } },
  { what: 'no cursor, asked for by another from further on', position: oldest, asked: at('a', 3), told: told('a', 3), becomes: undefined },
  { what: 'no cursor, asked for as tail', position: oldest, asked: tail, told: told('a', 3), becomes: undefined },
  { what: 'tail, S > 0', position: tail, told: told('a', 3), becomes: at('a', 3) },
  { what: 'tail, asked for by another from the oldest', position: tail, asked: oldest, told: told('a', 0), becomes: undefined },
  { what: 'a given cursor that matches', position: startingAt('a-4'), told: told('a', 4), becomes: at('a', 4) },
  {
    what: 'a given cursor that was trimmed',
    position: startingAt('a-4'),
    told: told('a', 6),
    becomes: at('a', 6),
    gap: { missed: undefined, reason: 'retention' }
  },
  { what: 'a given cursor of another log', position: startingAt('a-4'), told: told('b', 0), becomes: at('b', 0), gap: { missed: undefined, reason: 'epoch' } },
  { what: 'a given cursor, asked for by another from its own', position: startingAt('a-4'), asked: startingAt('a-2'), told: told('a', 2), becomes: undefined },
  { what: 'a given cursor, asked for by another from that very one', position: startingAt('a-4'), asked: at('a', 4), told: told('a', 4), becomes: at('a', 4) }
]

describe('gaps are derived', () => {
  test.each(table)('$what', ({ position, asked = position, told, becomes, gap }) => {
    const accepted = accept(position, told, asked)
    expect(accepted?.position).toEqual(becomes)
    expect(accepted?.gap).toEqual(gap)
  })

  test('a reader who loses nothing keeps its very position', () => {
    const position = at('a', 5)
    expect(accept(position, told('a', 2), position)?.position).toBe(position)
  })
})

describe('properties', () => {
  const places = fc.record({ epoch: fc.constantFrom('a', 'b', 'c'), seq: fc.nat({ max: 9 }) }).map(({ epoch, seq }) => told(epoch, seq))
  const starts = fc.constantFrom(undefined, 'tail', 'a-3', 'b-3').map(startingAt)
  /** A position that a random series of answers leads to, each requested from the reader's position at that time. */
  const reached = fc.tuple(starts, fc.array(places, { maxLength: 4 })).map(([start, answers]) => answers.reduce(from, start))
  const from = (position: Position, place: LogPosition): Position => accept(position, place, position)?.position ?? position

  test('within an epoch no answer takes a reader back, and what is missed is what lies between', () => {
    fc.assert(
      fc.property(reached, reached, places, (position, asked, place) => {
        const accepted = accept(position, place, asked)
        if (!accepted || position.epoch !== accepted.position.epoch) return
        expect(accepted.position.seq).toBeGreaterThanOrEqual(position.seq)
        expect(accepted.gap?.missed ?? 0).toBe(accepted.position.seq - position.seq)
      }),
      { numRuns: 5000 }
    )
  })

  test('an epoch that was left is never gone back to', () => {
    fc.assert(
      fc.property(reached, reached, places, (position, asked, place) => {
        const epoch = accept(position, place, asked)?.position.epoch
        expect(epoch === undefined || !position.left.includes(epoch)).toBe(true)
      }),
      { numRuns: 5000 }
    )
  })

  test('the answer to a reader’s own question is its own, but for an epoch it has left; a second hearing changes nothing', () => {
    fc.assert(
      fc.property(reached, places, (position, place) => {
        const accepted = accept(position, place, position)
        expect(accepted === undefined).toBe(position.left.includes(place.epoch))
        if (accepted) expect(accept(accepted.position, place, position)).toEqual({ position: accepted.position })
      }),
      { numRuns: 5000 }
    )
  })
})
