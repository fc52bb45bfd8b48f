/** What one reader of a foreign stream has had, and the frames that its messages make. */

import { type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { JobCursor } from '../types.ts'
import { type EndRule, endIn, type Meaning, type Message, meaningOf } from './message.ts'
import type { StreamDetails } from './stream-options.ts'
import { cursorOf, type StreamPlace, streamPlaceOf } from './stream-places.ts'

export interface StreamReader {
  readonly place: Readonly<StreamPlace>
  /** The last message that came, had before or not. */
  readonly last: Message | undefined
  readonly isOver: boolean
  /** Another answer begins: where none can be gone on with, at the first message. */
  begin(): void
  take(message: Message): void
  /** How many messages that were had, and have no id, haven't come again. */
  left(): number
  emit(meaning: Meaning): void
  /** The same, of what no message says, and nothing has said since the last one that had an id. */
  emitOnce(meaning: Meaning): void
  /** The answer doesn't go on from where it was asked to: what was between is lost. */
  lose(): void
  /** The same, and the server is asked anew, from the beginning. */
  restart(): void
  /** Until the next answer begins. */
  readonly isToRestart: boolean
  /** What to hand on; at first the frames that a reading begins with. */
  frames(): Frame[]
  /** Whether any frame has been handed on. */
  readonly hasBegun: boolean
  /** Forgets the events that `attempt` makes, unless one of them is the end. */
  onlyTheEnd(attempt: () => void): void
}

export function createStreamReader({ job, ref, after, epoch = 'stream' }: JobCursor, options: StreamDetails): StreamReader {
  const { promises = 'log', heartbeatMs, end = '[DONE]', read = meaningOf } = options
  const rules = Array.isArray(end) ? (end as readonly EndRule[]) : [end as EndRule] // as: TypeScript doesn't narrow a readonly list
  const had = streamPlaceOf(after)
  // Nothing says where it goes on: whatever came meanwhile is lost.
  const isLost = promises === 'lossy' || (promises === 'log' && had.seq > 0 && had.id === undefined)
  let place = isLost ? streamPlaceOf(undefined) : had
  /** Messages without an id that were had. */
  let left = 0
  let last: Message | undefined
  let isOver = false
  let hasBegun = false
  let isToRestart = false
  const subscribed = (at: string, cursor: string) => ({ control: 'subscribed', job, epoch: at, seq: place.seq, cursor, status: 'running' }) as const
  let pending: Frame[] = [
    { control: 'hello', protocol: 1, ...(heartbeatMs && { heartbeatMs }) },
    { ...subscribed(isLost ? `${Math.random()}` : epoch, (!isLost && after) || cursorOf(place)), ref }
  ]

  function emit([type, data = null]: Meaning): void {
    if (isOver) return
    place.seq += 1
    isOver = isTerminal(type)
    pending.push({ id: cursorOf(place), seq: place.seq, job, type, time: new Date().toISOString(), data })
  }

  function lose(): void {
    place = streamPlaceOf(undefined)
    left = 0
    pending.push(subscribed(`${Math.random()}`, cursorOf(place)))
  }

  return {
    get place() {
      return place
    },
    get last() {
      return last
    },
    get isOver() {
      return isOver
    },
    get hasBegun() {
      return hasBegun
    },
    begin() {
      isToRestart = false
      left = place.since
      if (promises === 'replay') place = { ...place, since: 0 }
    },
    take(message) {
      last = message
      if (message.id !== undefined && promises === 'log') {
        place.id = message.id
        place.since = left = 0
      } else if (left > 0) {
        left -= 1
        if (promises === 'replay') place.since += 1
        return
      } else place.since += 1
      const meaning = endIn(message, rules) ?? read(message)
      if (meaning) emit(meaning)
    },
    left: () => left,
    emit,
    emitOnce(meaning) {
      if (place.since > 0) return
      place.since = 1
      emit(meaning)
    },
    lose,
    restart() {
      lose()
      isToRestart = true
    },
    get isToRestart() {
      return isToRestart
    },
    frames() {
      const frames = pending
      pending = []
      hasBegun = true
      return frames
    },
    onlyTheEnd(attempt) {
      const kept = pending.length
      const before = { ...place }
      attempt()
      if (isOver) return
      pending = pending.filter((frame, index) => index < kept || isControl(frame))
      place = before
    }
  }
}
