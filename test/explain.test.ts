import { expect, test } from 'vitest'
import { JobFailedError, JobtailError } from '../src/errors.ts'
import { explain } from '../src/explain.ts'
import type { DiagnosticDetail } from '../src/types.ts'

const said = (detail: DiagnosticDetail, transport?: string): string => explain({ at: 1, attempt: 1, ...(transport ? { transport } : {}), ...detail })

test.each<[DiagnosticDetail, string]>([
  [{ type: 'probe-started' }, 'trying sse'],
  [{ type: 'probe-proved', afterMs: 12.4 }, 'sse delivers, after 12 ms'],
  [{ type: 'probe-failed', afterMs: 5000, reason: 'mute' }, 'sse failed after 5.0 s: it opened, but delivered nothing'],
  [
    { type: 'probe-failed', afterMs: 30, reason: 'status', status: 502 },
    'sse failed after 30 ms: the server, or something before it, answered with an error (502)'
  ],
  [{ type: 'probe-abandoned', afterMs: 30 }, 'sse is no longer needed'],
  [{ type: 'live', afterMs: 270 }, 'sse carries the job, 270 ms after the start'],
  [{ type: 'switched', from: 'long-poll' }, 'sse takes over from long-poll'],
  [{ type: 'lost', afterMs: 61_000, reason: 'silent', events: 12 }, 'sse was lost after 61.0 s and 12 events: it fell silent'],
  [{ type: 'suspected', silentMs: 3000 }, 'sse has brought no event for 3.0 s, longer than usual'],
  [{ type: 'waiting', ms: 250, reason: 'busy' }, 'waiting 250 ms: the server is busy'],
  [{ type: 'waiting', ms: 2500, reason: 'unreachable' }, 'waiting 2.5 s: no transport delivered'],
  [{ type: 'waiting', ms: 2500, reason: 'unstable' }, 'waiting 2.5 s: the connection did not last'],
  [{ type: 'waiting', ms: 2500, reason: 'bye' }, 'waiting 2.5 s: the server is closing connections'],
  [{ type: 'remembered', latencyMs: 5 }, 'sse is remembered as the winner'],
  [{ type: 'recalled', latencyMs: 5 }, 'sse won here last time'],
  [{ type: 'demoted', untilMs: 5 }, 'sse keeps failing: for a while it is tried last'],
  [{ type: 'paused' }, 'the loop is slow: reading pauses'],
  [{ type: 'resumed' }, 'reading resumes'],
  [{ type: 'offline' }, 'the browser is offline'],
  [{ type: 'online' }, 'the browser is online again'],
  [{ type: 'gap', job: '42', missed: 7 }, '7 events of job 42 are lost'],
  [{ type: 'gap', job: '42' }, 'an unknown number of events of job 42 are lost'],
  [{ type: 'ended', job: '42', status: 'failed' }, 'job 42 ended: failed']
])('%j', (detail, sentence) => {
  expect(said(detail, 'sse')).toBe(sentence)
})

test('without a transport, it is the connection', () => {
  expect(said({ type: 'probe-started' })).toBe('trying the connection')
})

test('an error says it itself', () => {
  expect(explain(new JobtailError('gap', 'job 42: 3 events are lost'))).toBe('job 42: 3 events are lost')
  const event = { id: 'e-1', seq: 1, job: '42', type: 'failed', time: '2026-11-21T01:02:03.456Z', data: { code: 'E1', message: 'no codec' } }
  expect(explain(new JobFailedError(event))).toBe('no codec')
})
