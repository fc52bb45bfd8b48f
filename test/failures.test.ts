import { describe, expect, test } from 'vitest'
import { describeFailures, raceError } from '../src/failures.ts'
import type { Failure } from '../src/policy/race.ts'

const base = new URL('https://user:secret@api.example.com/jobs?key=secret')
const failures: readonly Failure[] = [
  { transport: 'websocket', reason: 'mute', message: 'opened, but delivered nothing within 5000 ms' },
  { transport: 'sse', reason: 'status', status: 406, message: 'https://api.example.com/jobs/42/events answered 406' }
]

describe('what all readers throw', () => {
  test('names every path that was tried, and for how long', () => {
    const page = { transport: 'short-poll', reason: 'content-type', status: 200, message: 'a page' } as const
    expect(raceError({ do: 'stop', status: undefined, failures: [...failures, page] }, base, 5000)).toMatchObject({
      name: 'JobtailError',
      code: 'unreachable',
      message: 'no transport delivered within 5000 ms from https://api.example.com/jobs: websocket (mute), sse (406), short-poll (content-type)'
    })
  })

  test('says so where connections were made, but none lasted', () => {
    expect(raceError({ do: 'stop', status: undefined, failures: [] }, base, 5000)).toMatchObject({
      code: 'unreachable',
      message: 'no connection to https://api.example.com/jobs lasted'
    })
  })

  test('names how long was waited in the last race, which is longer than in the first', () => {
    expect(raceError({ do: 'stop', status: undefined, failures }, base, 40_000).message).toContain('delivered within 40000 ms')
  })

  test('keeps which transport failed first', () => {
    expect(raceError({ do: 'stop', status: undefined, failures }, base, 5000).transport).toBe('websocket')
  })

  test.each([
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'unknown-job'],
    [405, 'bad-request'],
    [410, 'history-gone']
  ] as const)('after %d everywhere is %s', (status, code) => {
    const failed = [
      { transport: 'websocket', reason: 'refused', message: 'did not open: 1006' },
      { transport: 'sse', reason: 'status', status, message: `answered ${status}` }
    ] as const
    expect(raceError({ do: 'stop', status, failures: failed }, base, 5000)).toMatchObject({
      code,
      status,
      message: `every path to https://api.example.com/jobs answered ${status}: answered ${status}`
    })
  })
})

test('the console is told what to look at, path by path, and no secret', () => {
  expect(describeFailures(failures, base)).toBe(
    `jobtail: no transport delivered from https://api.example.com/jobs; retrying. Check URL, status, content type, redirects, CORS:
  websocket: mute: opened, but delivered nothing within 5000 ms
  sse: status: https://api.example.com/jobs/42/events answered 406`
  )
})
