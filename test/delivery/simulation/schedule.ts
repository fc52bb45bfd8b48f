/** A schedule: what happens to a log, its readers and their links, step by step, drawn from a tape of chance. */

import { createLog, cursorOf, JOB, type Moment } from './log.ts'
import { type CheckedReader, createReader } from './reader.ts'
import { createWire, type Kind, type Wire } from './wire.ts'

const MAX_READERS = 4
const MAX_WIRES = 4
/** More rounds than anything needs to settle: an endless loop fails. */
const MAX_ROUNDS = 50

/** Plays the tape, then lets everything settle. Throws where a reader got something wrong, or not everything. */
export function play(tape: Iterable<number>): void {
  const chances = tape[Symbol.iterator]()
  const chance = (below: number): number => (chances.next().value ?? 0) % below
  const log = createLog()
  let moment = log.now()
  let readers: CheckedReader[] = []
  let wires: Wire[] = []

  const active = (): CheckedReader[] => readers.filter(({ mode, ended }) => mode === 'link' && !ended)
  const wanted = (): string[] => (active().length > 0 ? [JOB] : [])
  const said = (then: Moment): void => {
    moment = then
  }
  const observe = (): void => {
    for (const reader of readers) reader.observe()
  }
  const pick = <T>(from: readonly T[]): T | undefined => from[chance(Math.max(1, from.length))]

  function open(kind: Kind): void {
    if (wanted().length > 0) wires.push(createWire(kind, log, active, wanted, said))
  }

  function take(wire: Wire | undefined): boolean {
    const taken = wire?.take() ?? false
    observe()
    return taken
  }

  function settle(wire: Wire | undefined): void {
    wire?.settle()
    observe()
  }

  /** A cursor that a reader may have stored: of this log or an earlier one, perhaps beyond its end. */
  function storedCursor(): string {
    const { epoch, head } = log.now()
    return cursorOf({ epoch: Math.max(1, epoch - (chance(3) === 0 ? 1 : 0)), seq: chance(head + 2) })
  }

  const starts = [(): undefined => undefined, (): string => 'tail', storedCursor]
  const kinds: readonly Kind[] = ['socket', 'stream', 'poll']

  const steps: readonly (() => void)[] = [
    () => log.append(1 + chance(3)),
    () => log.append(1 + chance(3)),
    () => log.trim(chance(4)),
    () => chance(3) === 0 && log.replace(),
    () => chance(8) === 0 && log.finish(),
    () => readers.length < MAX_READERS && readers.push(createReader(pick(starts)?.(), () => moment)),
    () => {
      readers = readers.filter((reader) => reader !== (chance(3) === 0 ? pick(readers) : undefined))
    },
    () => {
      const reader = pick(readers)
      if (reader) reader.mode = reader.mode === 'link' ? 'paused' : 'link'
    },
    () => wires.length < MAX_WIRES && open(pick(kinds) ?? 'socket'),
    () => {
      wires = wires.filter((wire) => wire !== (chance(3) === 0 ? pick(wires) : undefined))
    },
    () => pick(wires)?.hear(),
    () => pick(wires)?.hear(),
    () => pick(wires)?.serve(1 + chance(3)),
    () => pick(wires)?.serve(1 + chance(3)),
    () => take(pick(wires)),
    () => take(pick(wires)),
    () => take(pick(wires)),
    () => settle(pick(wires)),
    () => settle(pick(wires))
  ]

  /** Delivers whatever is under way. Returns whether there was anything. */
  function runDry(wire: Wire): boolean {
    let moved = false
    settle(wire)
    while (wire.hear() || wire.serve(3) || take(wire)) moved = true
    return moved
  }

  /** Checks that every reader that has not ended gets everything, whichever link it is left with. */
  const isSettled = (): boolean => {
    const { epoch, head, ended } = log.now()
    const isAtEnd = ({ last, ended: over }: CheckedReader): boolean => over || (!ended && last?.epoch === epoch && last.seq === head)
    return readers.every(isAtEnd) && wires.every(({ jobs }) => jobs.coversAll(wanted()))
  }

  for (let next = chances.next(); !next.done; next = chances.next()) steps[next.value % steps.length]?.()

  for (const reader of readers) reader.mode = 'link'
  for (let round = 0; !isSettled() || wires.some(runDry); round += 1) {
    if (round > MAX_ROUNDS)
      throw new Error(`does not settle: ${JSON.stringify(readers.map(({ position, last }) => ({ position, last })))}, log ${JSON.stringify(log.now())}`)
    // A link that cannot change its jobs is replaced.
    for (const wire of wires.filter(({ kind, jobs }) => kind === 'stream' && jobs.needsUpdate(wanted()))) {
      wires = wires.filter((other) => other !== wire)
      open('stream')
    }
    if (wires.length === 0) open('socket')
    for (const wire of wires) runDry(wire)
  }
}
