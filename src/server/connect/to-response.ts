import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type FollowResponse, FollowResponseSchema, type FrameSchema, type JobSnapshot } from '../../connect/jobtail/v1/jobs_pb.ts'
import { type Frame, isControl, type JobSnapshot as Snapshot } from '../../protocol/frames.ts'
import { encodeOnce } from '../readings/hello-and-encode.ts'
import { toInt64 } from './errors.ts'

type Init = MessageInitShape<typeof FrameSchema>

/** Frames as one message. The same frames, written to several readers in a row, are converted once. */
export const toResponse: (frames: readonly Frame[]) => FollowResponse = encodeOnce((frames) => create(FollowResponseSchema, { frames: frames.map(toInit) }))

function toInit(frame: Frame): Init {
  if (!isControl(frame)) {
    const { id, seq, job, type, time, data } = frame
    return { frame: { case: 'event', value: { id, seq: toInt64(seq), job, type, time, dataJson: JSON.stringify(data) } } }
  }
  switch (frame.control) {
    case 'hello': {
      const { protocol, heartbeatMs, mux = 0, pollMs } = frame
      return { frame: { case: 'hello', value: { protocol, heartbeatMs: toInt64(heartbeatMs), mux, pollMs: toInt64(pollMs) } } }
    }
    case 'subscribed':
      return { frame: { case: 'subscribed', value: { ...frame, seq: toInt64(frame.seq) } } }
    case 'done':
      return { frame: { case: 'done', value: frame } }
    case 'error': {
      const { job = '', status, code, message, retryAfterMs } = frame
      return { frame: { case: 'error', value: { job, status, code, message, retryAfterMs: toInt64(retryAfterMs) } } }
    }
    case 'bye':
      return { frame: { case: 'bye', value: { reason: frame.reason, retryMs: toInt64(frame.retryMs) } } }
    case 'end':
      return { frame: { case: 'end', value: { more: frame.more } } }
    case 'heartbeat':
    case 'pong':
      return { frame: { case: 'heartbeat', value: {} } }
    default:
      return frame satisfies never
  }
}

/** A snapshot as a message's fields. Values of JSON become texts; one that is absent stays so. */
export function toSnapshot({ id, status, epoch, seq, cursor, ...values }: Snapshot): Omit<JobSnapshot, '$typeName' | '$unknown'> {
  const text = (value: unknown): string | undefined => JSON.stringify(value)
  const { progress, result, error, cancelling } = values
  const texts = { progressJson: text(progress), resultJson: text(result), errorJson: text(error), cancellingJson: text(cancelling) }
  return { id, status, epoch, seq: toInt64(seq), cursor, ...texts }
}
