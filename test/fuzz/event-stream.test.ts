/** The whole decoder of event streams: fetch, body, characters, lines, JSON, frames. */

import { expect, test } from 'vitest'
import { sse } from '../../src/transports/sse.ts'
import type { Link } from '../../src/types.ts'
import { bodyOf } from '../transports/scripted-fetch.ts'
import { damageBytes, split, spoil, text, value } from './damage.ts'
import { frame } from './frames.ts'
import { expectSame, outcomeOf } from './outcome.ts'
import { asRead, eventStream } from './reference.ts'
import { fuzz, type Tape } from './tape.ts'

const encoder = new TextEncoder()

function open(pieces: readonly Uint8Array<ArrayBuffer>[], failure?: Error): Link {
  const headers = { 'content-type': 'text/event-stream; charset=utf-8' }
  return sse().open({
    base: new URL('http://localhost/jobs'),
    jobs: [{ job: '42', ref: 1 }],
    windowBytes: Infinity,
    isFresh: false,
    headers: new Headers(),
    credentials: 'same-origin',
    signal: new AbortController().signal,
    fetch: async () => new Response(bodyOf(pieces, failure), { headers }),
    WebSocket
  })
}

/** Writes lines, each with one of the three line ends. */
function writer(tape: Tape) {
  let written = ''
  return {
    get text() {
      return written
    },
    line(line: string): void {
      // A CR followed by an LF would be one line end.
      const isAfterCr = line === '' && written.endsWith('\r')
      const end = isAfterCr ? tape.pick(['\r', '\r\n']) : tape.pick(['\n', '\r', '\r\n'])
      tape.note(end === '\n' ? 'LF' : end === '\r' ? 'CR' : 'CRLF')
      written += line + end
    }
  }
}

/** Text without meaning that may stand between events. */
function pad(tape: Tape, line: (text: string) => void): void {
  switch (tape.below(7)) {
    case 0:
      tape.note('comments')
      return line(`:${text(tape).replace(/[\r\n]/g, ' ')}`)
    case 1:
      tape.note('unknown fields')
      return line(tape.pick(['retry: 10', 'retry: x', 'foo: bar', 'datas: {}', 'Data: {}', ' data: {}', 'unknown', 'é: \ufeff']))
    case 2:
      tape.note('very long lines')
      return line(`${tape.pick([':', 'x: ', 'id: '])}${'long '.repeat(4000)}`)
    case 3:
      return line('')
    default:
      return undefined
  }
}

/** An event stream of these frames, in any form that the specification allows. */
function encode(tape: Tape, frames: readonly unknown[]): Uint8Array {
  const stream = writer(tape)
  const { line } = stream
  const space = (): string => tape.pick([' ', ''])
  const isMarked = tape.oneIn(4)
  if (isMarked) tape.note('byte order marks')
  for (const each of frames) {
    pad(tape, line)
    if (tape.oneIn(8)) {
      tape.note('events of other types')
      line(`event:${space()}other`)
      line(`data: ${JSON.stringify(value(tape))}`)
      line('')
    }
    const type = tape.pick(['', 'message', 'control'])
    if (type) line(`event:${space()}${type}`)
    if (tape.oneIn(2)) {
      const id = tape.pick(['id: e-1', 'id', 'id:', 'id: \0', 'id: a\0b'])
      if (id.includes('\0')) tape.note('NUL in ids')
      line(id)
    }
    // Line breaks within JSON don't change it.
    const json = tape.oneIn(5) ? JSON.stringify(each, null, '\t') : JSON.stringify(each)
    for (const part of json.split('\n')) line(`data:${space()}${part}`)
    line('')
  }
  // An event without its blank line is ignored.
  const rest = tape.oneIn(3) ? tape.pick(['data: {', ': half a com', 'data: {"control":"pong"}\n', 'event: contr']) : ''
  return encoder.encode((isMarked ? '\ufeff' : '') + stream.text + rest)
}

/** The order of fields does not matter. */
const sorted = (each: unknown): unknown => Object.fromEntries(Object.entries(each as object).sort(([a], [b]) => (a < b ? -1 : 1))) // as: a frame

test('a valid stream, cut anywhere, is its frames', { timeout: 120_000 }, async () => {
  await fuzz('valid event streams', 20_000, async (tape) => {
    const frames = tape.list(5, () => frame(tape))
    const bytes = encode(tape, frames)
    const isCut = tape.oneIn(4)
    const pieces = split(tape, bytes)
    const got = await outcomeOf(open(pieces, isCut ? new TypeError('network') : undefined))
    const sent: unknown[] = JSON.parse(JSON.stringify(frames)).map(asRead)
    expectSame({ ...got, frames: got.frames.map(sorted) }, { frames: sent.map(sorted), end: isCut ? 'cut' : 'clean' }, () => new TextDecoder().decode(bytes))
  })
})

test('a damaged stream is the frames before the damage, then a failure', { timeout: 120_000 }, async () => {
  await fuzz('damaged event streams', 22_000, async (tape) => {
    const frames: unknown[] = tape.list(5, () => frame(tape))
    const at = tape.below(frames.length + 1)
    if (at < frames.length && tape.oneIn(2)) frames[at] = spoil(tape, frames[at])
    const encoded = encode(tape, frames)
    const bytes = tape.oneIn(4) ? encoded : damageBytes(tape, encoded)
    const isCut = tape.oneIn(4)
    const pieces = split(tape, bytes)
    const expected = eventStream(bytes, isCut ? 'cut' : 'clean')
    tape.note(`ends: ${expected.end}`)
    expectSame(await outcomeOf(open(pieces, isCut ? new TypeError('network') : undefined)), expected, () => new TextDecoder().decode(bytes))
  })
})

test('an event of more than 16 Mi characters is a failure, in pieces of any size', async () => {
  const event = JSON.stringify({ id: 'e-1', seq: 1, job: '42', type: 'log', time: '', data: 'x'.repeat(2 ** 24 - 200) })
  const bytes = encoder.encode(`data: ${event}\n\n`)
  const piecesOf = (from: Uint8Array): Uint8Array<ArrayBuffer>[] =>
    Array.from({ length: Math.ceil(from.length / 65_521) }, (_, index) => new Uint8Array(from.slice(index * 65_521, (index + 1) * 65_521)))
  expect(await outcomeOf(open(piecesOf(bytes)))).toMatchObject({ frames: [{ seq: 1 }], end: 'clean' })
  const larger = encoder.encode(`data: ${'x'.repeat(400)}${event}\n\n`)
  expect(await outcomeOf(open(piecesOf(larger)))).toEqual({ frames: [], end: 'protocol' })
  expect(await outcomeOf(open([new Uint8Array(larger)]))).toMatchObject({ frames: [], end: 'protocol' })
})
