/** Messages of the service as frames. A server is not trusted: what the schema doesn't say is checked. */

import { TransportError } from '../errors.ts'
import type { Frame, JobStatus, JobSnapshot as Snapshot } from '../protocol/frames.ts'
import { EVENT_ID, EVENT_TYPE, STATUS } from '../protocol/rules.ts'
import type { JobSnapshot, Frame as Message } from './jobtail/v1/jobs_pb.ts'

const MAX_MS = 2 ** 31 - 1

/** A frame of the service as one of the protocol; `undefined` for one that this version does not know. Throws a `TransportError` `protocol` for one that breaks the protocol. */
export function frameOf({ frame }: Message): Frame | undefined {
  switch (frame.case) {
    case 'event': {
      const { id, seq, job, type, time, dataJson } = frame.value
      return { id: matching('id', id, EVENT_ID), seq: count('seq', seq, 1), job, type: matching('type', type, EVENT_TYPE), time, data: json(dataJson) }
    }
    case 'hello': {
      const { protocol, heartbeatMs, mux, pollMs } = frame.value
      const poll = pollMs > 0n && { pollMs: ms(pollMs) }
      return { control: 'hello', protocol, ...(heartbeatMs > 0n && { heartbeatMs: ms(heartbeatMs) }), ...(mux > 0 && { mux }), ...poll }
    }
    case 'subscribed': {
      const { job, ...position } = frame.value
      return { control: 'subscribed', job, ...positionOf(position) }
    }
    case 'done':
      return { control: 'done', job: frame.value.job, cursor: matching('cursor', frame.value.cursor, EVENT_ID) }
    case 'error': {
      const { job, status, code, message, retryAfterMs } = frame.value
      const pause = retryAfterMs > 0n && { retryAfterMs: ms(retryAfterMs) }
      return { control: 'error', ...(job !== '' && { job }), status: count('status', status, 1), code, message, ...pause }
    }
    case 'bye':
      return { control: 'bye', reason: frame.value.reason, retryMs: ms(frame.value.retryMs) }
    case 'end':
      return { control: 'end', more: frame.value.more }
    case 'heartbeat':
      return { control: 'heartbeat' }
    default:
      return undefined
  }
}

/** The snapshot in an answer. Throws a `TransportError` `protocol` where it is missing or breaks the protocol. */
export function snapshotOf({ snapshot }: { snapshot?: JobSnapshot | undefined }): Snapshot {
  if (!snapshot) throw new TransportError('protocol', 'snapshot: expected one, got nothing')
  const { id, progressJson, resultJson, errorJson, cancellingJson } = snapshot
  return {
    id,
    ...positionOf(snapshot),
    ...(progressJson !== undefined && { progress: json(progressJson) as NonNullable<Snapshot['progress']> }), // as: the client treats it as any JSON
    ...(resultJson !== undefined && { result: json(resultJson) }),
    ...(errorJson !== undefined && { error: json(errorJson) }),
    ...(cancellingJson !== undefined && { cancelling: json(cancellingJson) })
  }
}

function positionOf({ epoch, seq, cursor, status }: Pick<JobSnapshot, 'epoch' | 'seq' | 'cursor' | 'status'>) {
  return {
    epoch,
    seq: count('seq', seq, 0),
    cursor: matching('cursor', cursor, EVENT_ID),
    status: matching('status', status, STATUS) as JobStatus // as: the pattern lists them
  }
}

function matching(name: string, value: string, pattern: RegExp): string {
  if (pattern.test(value)) return value
  throw new TransportError('protocol', `${name}: expected a string like ${pattern}, got ${JSON.stringify(value.slice(0, 160))}`)
}

function count(name: string, value: bigint | number, least: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= least) return number
  throw new TransportError('protocol', `${name}: expected an integer from ${least}, got ${value}`)
}

/** Milliseconds, limited to what a timer can wait. */
const ms = (value: bigint): number => Math.max(0, Math.min(Number(value), MAX_MS))

function json(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    // The engine's own message quotes the text.
    throw new TransportError('protocol', 'data_json: expected JSON')
  }
}
