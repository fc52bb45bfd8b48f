/** A reader that checks what it gets against the log as it was when the server sent it. */

import { startingAt } from '../../../src/policy/position.ts'
import type { Reader } from '../../../src/types.ts'
import { cursorOf, JOB, type Moment, type Place, placeOf } from './log.ts'

export interface CheckedReader extends Reader {
  mode: Reader['mode']
  /** Up to where it has received every event or a gap; `undefined` until its position is known. */
  readonly last: Place | undefined
  ended: boolean
  /** Has to be called after everything that may have told its position. */
  observe(): void
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** `said`: the log at the moment when the server sent what is being delivered. */
export function createReader(after: string | undefined, said: () => Moment): CheckedReader {
  let last: Place | undefined
  const told = (): Place => placeOf(own.position.cursor ?? '')
  const describe = (): string => `reader from ${after}, at ${last ? cursorOf(last) : 'no place yet'}, log ${JSON.stringify(said())}`

  function begin(): void {
    const { epoch, seq } = told()
    if (after === undefined) check(seq === 0, `begins at ${seq} without a gap: ${describe()}`)
    else if (after === 'tail') check(epoch === said().epoch && seq === said().head, `tail begins at ${epoch}-${seq}: ${describe()}`)
    else check(own.position.cursor === after, `begins at ${epoch}-${seq} without a gap: ${describe()}`)
    last = { epoch, seq }
  }

  /** The position of a reader that has received nothing. */
  const start = (): Place => (after === undefined ? { epoch: said().epoch, seq: 0 } : placeOf(after))

  const own: CheckedReader = {
    job: JOB,
    position: startingAt(after),
    mode: 'link',
    setMode(mode) {
      own.mode = mode
    },
    roomBytes: () => Infinity,
    ended: false,
    get last() {
      return last
    },
    observe() {
      if (!last && own.position.epoch !== undefined) begin()
    },
    event({ id, seq, type }) {
      const { epoch } = placeOf(id)
      check(!own.ended, `event ${id} after the end: ${describe()}`)
      check(last !== undefined && epoch === last.epoch && seq === last.seq + 1, `event ${id} is not the next one: ${describe()}`)
      last = { epoch, seq }
      own.ended = type === 'succeeded'
    },
    gap({ missed, reason }) {
      const { epoch, seq } = told()
      const from = last ?? start()
      const { oldest } = said()
      const what = `gap of ${missed} (${reason}) to ${epoch}-${seq}: ${describe()}`
      check(epoch === said().epoch && seq === oldest - 1, what)
      const isForeign = epoch !== from.epoch || (!last && from.seq > said().head)
      check(isForeign || oldest > from.seq + 1, `${what}: nothing is lost`)
      // For a reader with only a cursor, the gap's size is known if a reading that it shares has passed its cursor.
      const isUnknown = last ? isForeign : after !== undefined && (isForeign || missed === undefined)
      check(missed === (isUnknown ? undefined : seq - from.seq), what)
      if (last) check(reason === (isForeign ? 'epoch' : 'retention'), what)
      last = { epoch, seq }
    },
    subscribed() {},
    done() {
      const { epoch, head, ended } = said()
      const from = last ?? start()
      check(!own.ended, `done after the end: ${describe()}`)
      check(ended && from.epoch === epoch && from.seq === head, `done before the end: ${describe()}`)
      own.ended = true
    },
    fail(error) {
      throw error
    },
    connection() {}
  }
  return own
}
