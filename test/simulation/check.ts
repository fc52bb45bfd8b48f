/** Compares what a follower got with everything that the logs ever held. */

import { isTerminal } from '../../src/protocol/rules.ts'
import type { Follower } from './follower.ts'
import type { Epoch, Log } from './log.ts'
import { type Check, Wrong } from './wrong.ts'

/** What makes an error a right one. */
export interface Excuses {
  isRevoked: boolean
  /** When the job was created, when it was first requested, and the grace period for an unknown job, which all followers share. */
  createdAt: number
  askedAt: number
  graceMs: number
  /** The statuses that an intermediary has answered. */
  statuses: ReadonlySet<number>
  attempts: number
}

/** After a job was live, no answer of an intermediary ends it for this long. */
const DEPLOY_MS = 170_000
const CODES: Readonly<Record<string, number>> = { unauthorized: 401, 'unknown-job': 404 }

const fail = (check: Check, what: string): never => {
  throw new Wrong(check, what)
}

/** Where a reader is: the index of the epoch, and the last seq. `undefined` while that is unknown. */
type At = { epoch: number; seq: number } | undefined

const wasDropped = ({ wereDropped }: Epoch, seq: number): boolean => wereDropped.has(seq)

/** Each event must be an event of the log, and the next one: in its epoch, or after a gap of retention or of a new epoch. */
export function checkEvents({ events, began, read, tailFrom }: Follower, log: Log): void {
  const { epochs } = log
  const isTail = read?.from === 'tail'
  const from = began ? epochs.indexOf(began.epoch) : 0
  let at: At = isTail ? undefined : began ? { epoch: from, seq: began.seq } : undefined
  let gap: { missed: number | undefined } | undefined
  let hasHad = false
  let ended = false

  for (const [index, event] of events.entries()) {
    const where = `event ${index} (${event.type} ${event.id})`
    if (ended) fail('end', `${where} comes after the end`)
    if (event.type === 'gap') {
      const { missed } = event.data
      gap = { missed: missed === undefined || (gap && gap.missed === undefined) ? undefined : missed + (gap?.missed ?? 0) }
      continue
    }
    const number = epochs.findIndex(({ name }) => name === event.id.split('-')[0])
    const epoch = epochs[number]
    const original = epoch?.events[event.seq - 1]
    if (!epoch || !original || original.id !== event.id) return fail('exactly once', `${where} was never in the log`)
    if (JSON.stringify(original) !== JSON.stringify(event)) fail('exactly once', `${where} is not what the log held`)
    const before = event.seq - 1
    const isSame = at?.epoch === number
    if (at && number < at.epoch) fail('start', `${where} is of an epoch that was left`)
    if (number < from) fail('start', `${where} is of an epoch from before its subscription`)

    if (!gap) {
      if (at && !isSame) fail('gap', `${where}: another epoch, and no gap`)
      else if (at && before !== at.seq) fail(before < at.seq ? 'exactly once' : 'gap', `${where} comes after seq ${at.seq}, and no gap`)
      else if (!at && !isTail && before !== 0) fail('gap', `${where} is the first one, and no gap`)
      else if (!at && number === from && before < tailFrom) fail('start', `${where} is from before the tail (${tailFrom})`)
    } else if (gap.missed !== undefined) {
      if (at && !isSame) fail('gap', `${where}: another epoch, but the gap says ${gap.missed}`)
      const start = at?.seq ?? 0
      // Only the server knows where a tail begins, but it is not before the subscription.
      const isFromTail = !at && isTail && before - gap.missed >= (number === from ? tailFrom : 0)
      if (before !== start + gap.missed && !isFromTail) fail('gap', `${where} comes after seq ${start} and a gap of ${gap.missed}`)
      if (!wasDropped(epoch, before)) fail('gap', `${where} comes after a gap, but retention has never begun at ${before}`)
    } else {
      if (isSame && at && before <= at.seq) fail('exactly once', `${where} comes after a gap, and was had before`)
      if (!wasDropped(epoch, before)) fail('gap', `${where} comes after a gap, but no reading has begun at ${before}`)
      if (isSame && hasHad) fail('gap', `${where}: a gap of unknown size in one epoch`)
    }
    at = { epoch: number, seq: event.seq }
    gap = undefined
    hasHad = true
    ended = isTerminal(event.type)
  }
}

/** Checks that an error has a right cause. */
function checkError(
  { error, read, left, controller, job, liveAt, endedAt }: Follower,
  log: Log,
  { isRevoked, createdAt, askedAt, graceMs, statuses, attempts }: Excuses
): void {
  if (left === 'abort' && error === controller.signal.reason) return
  const { name, code } = (error ?? {}) as { name?: string; code?: string }
  if (name !== 'JobtailError') fail('error', `job ${job}: threw ${error}`)
  if (left && code === 'closed') return
  if (code === 'unauthorized' && isRevoked) return
  if (code === 'unreachable' && attempts < Number.POSITIVE_INFINITY) return
  if (statuses.has(CODES[code ?? ''] ?? 0) && endedAt - liveAt > DEPLOY_MS) return
  if (code === 'forbidden' && log.refusal === 403) return
  if (code === 'history-gone' && log.refusal === 410) return
  if (code === 'unknown-job' && createdAt - askedAt >= graceMs) return
  if (code === 'gap' && read?.throwsGaps && (log.epochs.length > 1 || log.epoch.dropped > 0)) return
  fail('error', `job ${job}: threw ${code}: ${(error as Error).message}`)
}

/** After all jobs have ended: the follower has ended with the right result, or failed with a right error. */
export async function checkEnd(follower: Follower, log: Log, excuses: Excuses): Promise<void> {
  const { events, state, left, leftWith, by, subscription, began, read } = follower
  if (by === 'loop') checkEvents(follower, log)
  if (leftWith !== undefined && events.length > leftWith) fail('end', 'an event came after it had left')
  if (state === 'threw') return checkError(follower, log, excuses)
  if (left) return
  if (excuses.isRevoked && state === 'running') return fail('error', 'it goes on without a token')

  const last = events.at(-1)
  if (by === 'loop' && !(last && isTerminal(last.type))) {
    // A reader that began at the end has nothing to get.
    const isAtEnd = events.length === 0 && read && read.from !== 'start' && (began === undefined || isTerminal(began.epoch.events[began.seq - 1]?.type ?? ''))
    const isTail = events.length === 0 && read?.from === 'tail'
    if (!isAtEnd && !isTail) fail('end', `the loop ended after ${last ? `${last.type} ${last.id}` : 'nothing'}`)
  }
  const ends = log.epochs.flatMap(({ events }) => events.filter(({ type }) => isTerminal(type)))
  const possible = last && isTerminal(last.type) ? ends.filter(({ id }) => id === last.id) : ends
  const { status, lastEventId, error } = subscription.state
  const outcome = await subscription.result.then(
    (result) => ({ type: 'succeeded', data: result }),
    (failure) => ({ type: failure.event?.type, data: failure.event?.data, failure })
  )
  const isRight = possible.some(({ type, data }) => type === outcome.type && type === status && JSON.stringify(data) === JSON.stringify(outcome.data))
  if (!isRight) fail('end', `the result is ${JSON.stringify(outcome)}, the state ${status}`)
  if (by === 'loop' && last && lastEventId !== last.id) fail('end', `lastEventId is ${lastEventId} after ${last.id}`)
  if (status === 'succeeded' && error) fail('end', `succeeded, with ${error}`)
}
