/** Turns the messages of another server's stream into numbered events, and keeps the reader's position. */

import { type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal, matches } from '../protocol/rules.ts'
import type { JobCursor } from '../types.ts'
import { hashOf } from './marks.ts'
import { defaultMeaning, type EndRule, type JobEventTuple, type Message, matchEnd } from './message.ts'
import type { StreamDetails } from './stream-options.ts'
import { cursorOf, type StreamPosition, streamPositionOf } from './stream-position.ts'

/** The state of one reading. */
export interface StreamReader {
  /** The position after the last message. */
  readonly position: Readonly<StreamPosition>
  /** The last message that came, also where it was received before. */
  readonly last: Message | undefined
  /** Whether an event has ended the job. */
  readonly isOver: boolean
  /** Starts an answer. Where none can resume, its messages are counted from the first. */
  begin(): void
  /** Emits what a message means, unless it was received before. */
  take(message: Message): void
  /** How many messages without an id were received before the reading, and have not come again yet. */
  left(): number
  /** Emits an event. After the job's end it does nothing. */
  emit(meaning: JobEventTuple): void
  /** Emits the end where the cursor is that of the end itself: without its data, which only the server could tell. */
  emitKnownEnd(): void
  /** Emits an event that no message carries, unless something was emitted since the last message with an id. */
  emitOnce(meaning: JobEventTuple): void
  /** Records that the answer does not begin after the cursor: what was in between is lost, and the reader gets a `gap`. */
  lose(): void
  /** The same, and requests the stream again from the beginning. */
  restart(): void
  /** Whether the stream has to be requested again from the beginning. */
  readonly isToRestart: boolean
  /** Takes the frames that are ready. The first call has the frames that a reading begins with. */
  frames(): Frame[]
  /** Whether `frames` was called. */
  readonly hasBegun: boolean
  /** Drops the events that `attempt` emits, unless one of them ends the job. */
  onlyTheEnd(attempt: () => void): void
}

/** What a header can carry. Any other id is no cursor. */
const ID = /^\P{Cc}+$/u
const NUMBER = /^\d+$/
/** Whether an id comes before another. Only numbers tell. */
const isLess = (id: string, other: string): boolean => NUMBER.test(id) && NUMBER.test(other) && BigInt(id) < BigInt(other)

/** Makes the reader of one reading, at its cursor. */
export function createStreamReader({ job, ref, after, epoch = 'stream' }: JobCursor, options: StreamDetails): StreamReader {
  const { promises = 'log', heartbeatMs, end = '[DONE]', read = defaultMeaning } = options
  const rules: EndRule[] = [end].flat()
  const had = streamPositionOf(after)
  const { end: knownEnd } = had
  // Without a cursor nothing says where the stream resumes: what came in between is lost.
  const isLost = promises === 'lossy' || (promises === 'log' && had.seq > 0 && had.id === undefined)
  let position = isLost ? streamPositionOf(undefined) : had
  /** How many messages without an id to skip, because they were received before. */
  let left = 0
  let last: Message | undefined
  let isOver = false
  let hasBegun = false
  let isToRestart = false
  /** No message with an id has come since the answer's beginning. */
  let isResumed = false
  const subscribed = (at: string, cursor: string) => ({ control: 'subscribed', job, epoch: at, seq: position.seq, cursor, status: 'running' }) as const
  let pending: Frame[] = [
    { control: 'hello', protocol: 1, ...(heartbeatMs && { heartbeatMs }) },
    { ...subscribed(isLost ? `${Math.random()}` : epoch, (!isLost && after) || cursorOf(position)), ref }
  ]

  function emit([type, data = null]: JobEventTuple): void {
    if (isOver) return
    position.seq += 1
    isOver = isTerminal(type)
    position.end = isOver ? type : undefined
    pending.push({ id: cursorOf(position), seq: position.seq, job, type, time: new Date().toISOString(), data })
  }

  function lose(): void {
    position = streamPositionOf(undefined)
    left = 0
    pending.push(subscribed(`${Math.random()}`, cursorOf(position)))
  }

  return {
    get position() {
      return position
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
      isResumed = true
      left = position.since
      if (promises === 'replay') position = { ...position, since: 0 }
    },
    take(message) {
      last = message
      const meaning = matchEnd(message, rules) ?? read(message)
      const hasEnded = meaning && isTerminal(meaning[0])
      if (promises === 'log' && matches(message.id, ID)) {
        const before = isResumed ? position.id : undefined
        isResumed = false
        // Some servers answer from the cursor on, not after it.
        if (message.id === before && !hasEnded) return
        if (before !== undefined && message.id !== before && (isLess(message.id, before) || hashOf(message.id) === position.first)) lose()
        position.id = message.id
        position.first ??= hashOf(message.id)
        position.since = left = 0
      } else if (left > 0 && !hasEnded) {
        left -= 1
        if (promises === 'replay') position.since += 1
        return
      } else position.since += 1
      if (meaning) emit(meaning)
    },
    left: () => left,
    emit,
    emitKnownEnd() {
      if (knownEnd) emit([knownEnd])
    },
    emitOnce(meaning) {
      if (position.since > 0) return
      position.since = 1
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
      const before = { ...position }
      attempt()
      if (isOver) return
      pending = pending.filter((frame, index) => index < kept || isControl(frame))
      position = before
    }
  }
}
