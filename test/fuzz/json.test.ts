/** JSON answers: readings, snapshots, problems. */

import { test } from 'vitest'
import { TransportError } from '../../src/errors.ts'
import { parseAnswer, parseSnapshot } from '../../src/protocol/parse.ts'
import { progressOf } from '../../src/protocol/progress.ts'
import { errorFrom } from '../../src/transports/http.ts'
import { readOnce } from '../../src/transports/read-once.ts'
import { bodyOf } from '../transports/scripted-fetch.ts'
import { damageBytes, damageText, split, spoil, text, value } from './damage.ts'
import { frame, progress, reading, snapshot } from './frames.ts'
import { expectSame, orMalformed, outcomeOf } from './outcome.ts'
import * as reference from './reference.ts'
import { fuzz, type Tape } from './tape.ts'

const encoder = new TextEncoder()

/** Valid JSON, JSON with a wrong type somewhere, damaged text, or any text. */
function source(tape: Tape, sound: unknown): string {
  switch (tape.below(8)) {
    case 0:
    case 1:
      tape.note('wrong types')
      return JSON.stringify(spoil(tape, sound))
    case 2:
      tape.note('damaged texts')
      return damageText(tape, JSON.stringify(sound))
    case 3:
      tape.note('any JSON')
      return JSON.stringify(value(tape)) ?? ''
    default:
      tape.note('valid')
      return JSON.stringify(sound)
  }
}

test('a reading is parsed, or refused as malformed', { timeout: 120_000 }, async () => {
  await fuzz('JSON readings', 10_000, (tape) => {
    const json = source(tape, reading(tape))
    const expected = reference.attempt(() => reference.answer(json).frames)
    expectSame(
      orMalformed(() => parseAnswer(json).slice(0, -1)), // the last one is `end`
      expected,
      () => json
    )
  })
})

test('a reading that is fetched in pieces is its frames, or fails', { timeout: 120_000 }, async () => {
  await fuzz('fetched JSON readings', 8000, async (tape) => {
    const sound = encoder.encode(source(tape, reading(tape)))
    const bytes = tape.oneIn(6) ? damageBytes(tape, sound) : sound
    const json = new TextDecoder().decode(bytes)
    const pieces = split(tape, bytes)
    const isCut = tape.oneIn(6)
    const answer = reference.attempt(() => reference.answer(json, ['42', '43']))
    let asked = 0
    const outcome = await outcomeOf(
      readOnce().open({
        base: new URL('http://localhost/jobs'),
        jobs: [
          { job: '42', ref: 1 },
          { job: '43', ref: 2 }
        ],
        windowBytes: Infinity,
        isFresh: false,
        headers: new Headers(),
        credentials: 'same-origin',
        signal: new AbortController().signal,
        async fetch() {
          asked += 1
          if (asked > 1) throw new TypeError('no more')
          return new Response(bodyOf(pieces, isCut ? new TypeError('network') : undefined), { headers: { 'content-type': 'application/json' } })
        },
        WebSocket
      })
    )
    const expected = isCut
      ? { frames: [], end: 'cut' }
      : answer
        ? { frames: answer.frames, end: answer.asksOn ? (answer.hasNews ? 'network' : 'protocol') : 'clean' }
        : { frames: [], end: 'protocol' }
    tape.note(`ends: ${expected.end}`)
    expectSame(outcome, expected, () => json)
  })
})

test('progress in any form gives the ratio that the protocol says', { timeout: 120_000 }, async () => {
  await fuzz('progress', 8000, (tape) => {
    const data = tape.oneIn(3) ? value(tape) : progress(tape)
    expectSame(progressOf(structuredClone(data)), reference.progress(data), () => JSON.stringify(data))
  })
})

test('a snapshot is parsed, or refused as malformed', { timeout: 120_000 }, async () => {
  await fuzz('snapshots', 8000, (tape) => {
    const json = source(tape, snapshot(tape))
    expectSame(
      orMalformed(() => parseSnapshot(json)),
      reference.attempt(() => reference.snapshot(json)),
      () => json
    )
  })
})

const TYPES = ['application/problem+json', 'application/problem+json; charset=utf-8', 'Application/Problem+JSON', 'application/json', 'text/html', ''] as const

test('a problem means to the job what the protocol says', { timeout: 120_000 }, async () => {
  await fuzz('problems', 8000, async (tape) => {
    const status = 400 + tape.below(110)
    const type = tape.pick(TYPES)
    const retryAfter = tape.pick([
      null,
      '3',
      '0',
      '-1',
      '1.5',
      '1e400',
      'Wed, 21 Oct 2015 07:28:00 GMT',
      'Mon, 21 Oct 2999 07:28:00 GMT',
      'soon',
      '9999999999',
      '',
      ' 7 '
    ] as const)
    const problem = {
      title: text(tape),
      status,
      code: 'busy',
      ...(tape.oneIn(2) ? { detail: text(tape) } : {}),
      ...(tape.oneIn(2) ? { retryAfterMs: 1500 } : {})
    }
    const json = source(tape, problem)
    const headers = new Headers({ ...(type && { 'content-type': type }), ...(retryAfter !== null && { 'retry-after': retryAfter }) })
    const found = await errorFrom(new Response(bodyOf(split(tape, encoder.encode(json))), { status, headers }), { accept: 'application/json' }, (text) => text).catch(
      (error: unknown) => {
        if (error instanceof TransportError && error.reason === 'status' && error.status === status) return undefined
        throw error
      }
    )
    const expected = reference.problem(status, headers.get('content-type'), headers.get('retry-after'), json)
    tape.note(expected ? 'speak for the job' : 'of the path')
    expectSame(found, expected, () => ({ status, type, retryAfter, json }))
  })
})

test('NDJSON that is fetched in pieces is its frames, or fails', { timeout: 120_000 }, async () => {
  await fuzz('fetched lines', 8000, async (tape) => {
    const sound = tape.list(5, () => JSON.stringify(frame(tape)))
    const damaged = sound.map((line) => (tape.oneIn(12) ? damageText(tape, line).replaceAll('\n', ' ') : line))
    const source = damaged.map((line) => line + tape.pick(['\n', '\r\n', '\n\n'])).join('') + (tape.oneIn(3) ? '' : '{"control":"end","more":false}\n')
    const bytes = encoder.encode(source)
    const isCut = tape.oneIn(6)
    let asked = 0
    const outcome = await outcomeOf(
      readOnce().open({
        base: new URL('http://localhost/jobs'),
        jobs: [{ job: '42', ref: 1 }],
        windowBytes: Infinity,
        isFresh: false,
        headers: new Headers(),
        credentials: 'same-origin',
        signal: new AbortController().signal,
        async fetch() {
          asked += 1
          if (asked > 1) throw new TypeError('no more')
          return new Response(bodyOf(split(tape, bytes), isCut ? new TypeError('network') : undefined), { headers: { 'content-type': 'application/x-ndjson' } })
        },
        WebSocket
      })
    )
    const expected = reference.ndjson(new TextDecoder().decode(bytes), isCut)
    // Another test covers the next request, and its cursor.
    if (outcome.end === 'network' || expected.asksOn) return
    tape.note(`ends: ${expected.end}`)
    expectSame(outcome, { frames: expected.frames, end: expected.end }, () => source)
  })
})
