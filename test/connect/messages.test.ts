/** Frames become messages at the server, and the same frames again in the page. */

import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { frameOf, snapshotOf } from '../../src/connect/from-response.ts'
import { FollowResponseSchema, FrameSchema, JobSnapshotSchema } from '../../src/connect/jobtail/v1/jobs_pb.ts'
import type { Frame, JobSnapshot } from '../../src/protocol/frames.ts'
import { toResponse, toSnapshot } from '../../src/server/connect/to-response.ts'

const position = { epoch: 'e', seq: 7, cursor: 'e-7', status: 'running' } as const

const frames: Frame[] = [
  { id: 'e-8', seq: 2 ** 53 - 1, job: 'ä/ö', type: 'output', time: '2026-11-30T00:00:00.000Z', data: { a: [1, null] } },
  { id: 'e-9', seq: 1, job: '42', type: 'log', time: '2026-11-30T00:00:00.000Z', data: null },
  { control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128, pollMs: 2000 },
  { control: 'hello', protocol: 1, heartbeatMs: 15_000 },
  { control: 'subscribed', job: '42', ...position },
  { control: 'subscribed', job: '42', ...position, seq: 0 },
  { control: 'done', job: '42', cursor: 'e-9' },
  { control: 'error', job: '42', status: 503, code: 'busy', message: 'later', retryAfterMs: 2000 },
  { control: 'error', status: 404, code: 'unknown-job', message: '' },
  { control: 'bye', reason: 'shutdown', retryMs: 1000 },
  { control: 'end', more: true },
  { control: 'end', more: false },
  { control: 'heartbeat' }
]

test.each(frames)('%o', (frame) => {
  const response = toResponse([frame, frame])
  expect(fromBinary(FollowResponseSchema, toBinary(FollowResponseSchema, response)).frames.map(frameOf)).toEqual([frame, frame])
  expect(fromJson(FollowResponseSchema, toJson(FollowResponseSchema, response)).frames.map(frameOf)).toEqual([frame, frame])
})

test('a time that no timer can wait is as long as one can', () => {
  const response = create(FrameSchema, { frame: { case: 'bye', value: { reason: 'slow', retryMs: 2n ** 40n } } })
  expect(frameOf(response)).toMatchObject({ retryMs: 2 ** 31 - 1 })
})

test('data that is left out is null', () => {
  const response = create(FrameSchema, { frame: { case: 'event', value: { id: 'a', seq: 1n, job: '42', type: 'log' } } })
  expect(frameOf(response)).toMatchObject({ data: null })
})

test.each<JobSnapshot>([
  { id: '42', ...position },
  { id: '42', ...position, status: 'succeeded', progress: { ratio: 1 }, result: null, cancelling: { reason: 'enough' } },
  { id: '42', ...position, status: 'failed', error: { code: 'lost', message: '' } }
])('snapshot %o', (snapshot) => {
  expect(snapshotOf({ snapshot: create(JobSnapshotSchema, toSnapshot(snapshot)) })).toEqual(snapshot)
})
