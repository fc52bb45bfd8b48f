/** Values, texts and bytes that no correct peer sends. */

import type { Tape } from './tape.ts'

const STRINGS = [
  '',
  'x',
  '42',
  'tail',
  'gap',
  '__proto__',
  'é',
  '\u2028',
  '\0',
  '\r',
  '\n',
  '\r\n',
  '\ufeff',
  '\ud83d\ude00',
  '\ud800',
  '\udc00\ud800',
  'data: x\n\n',
  '"',
  '\\'
] as const
const NUMBERS = [0, 1, -1, 0.5, 1e21, 1e308, 5e-324, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 4294967296] as const
const KEYS = ['a', '__proto__', 'constructor', 'prototype', 'control', 'id', 'toString', '', 'é', 'hasOwnProperty'] as const

/** Deeper than any real data, but not too deep for the stack. */
const DEEP = 400

export function text(tape: Tape): string {
  if (tape.oneIn(40)) {
    tape.note('very long strings')
    return tape.pick(STRINGS).repeat(5000)
  }
  return tape.list(3, () => tape.pick(STRINGS)).join('')
}

/** Any JSON value. */
export function value(tape: Tape, depth = 3): unknown {
  switch (tape.below(depth > 0 ? 8 : 5)) {
    case 0:
      return null
    case 1:
      return tape.oneIn(2)
    case 2:
      return tape.pick(NUMBERS)
    case 3:
      return tape.below(2 ** 31)
    case 4:
      return text(tape)
    case 5:
      return tape.list(4, () => value(tape, depth - 1))
    case 6:
      return tape.oneIn(12) ? nested(tape) : tape.list(2, () => value(tape, depth - 1))
    default: {
      const entries = tape.list(4, () => [tape.pick(KEYS), value(tape, depth - 1)] as const)
      if (entries.some(([key]) => key === '__proto__')) tape.note('__proto__ keys')
      return Object.fromEntries([...entries, ...(tape.oneIn(8) ? [['__proto__', { polluted: 1 }]] : [])]) // `fromEntries` makes it an own property
    }
  }
}

function nested(tape: Tape): unknown {
  tape.note('deep nestings')
  let inner: unknown = 0
  for (let depth = 0; depth < DEEP; depth += 1) inner = tape.oneIn(2) ? [inner] : { a: inner }
  return inner
}

/** A copy in which one field, possibly a nested one, is missing or of another type. */
export function spoil(tape: Tape, whole: unknown): unknown {
  if (typeof whole !== 'object' || whole === null || tape.oneIn(6)) return value(tape)
  const names = Object.keys(whole)
  const name = names[tape.below(Math.max(1, names.length))]
  if (name === undefined) return value(tape)
  const copy = (Array.isArray(whole) ? [...whole] : { ...whole }) as Record<string, unknown> // as: an array has fields as well
  if (tape.oneIn(4)) delete copy[name]
  else copy[name] = tape.oneIn(2) ? spoil(tape, copy[name]) : value(tape)
  return copy
}

const PIECES = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\0',
  ':',
  'data:',
  'data',
  'event: control\n',
  'id: \0\n',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  '-',
  '1e999',
  '\\u0000',
  '\\ud800',
  '"__proto__":{"polluted":1},'
] as const
const BYTES: [number[], ...number[][]] = [[0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xef, 0xbb, 0xbf], [0xed, 0xa0, 0x80], [0x80]]

const encoder = new TextEncoder()

/** A copy with some bytes changed, removed, duplicated or inserted. */
export function damageBytes(tape: Tape, source: Uint8Array): Uint8Array {
  let bytes = Buffer.from(source)
  for (let left = 1 + tape.below(3); left > 0; left -= 1) {
    const at = tape.below(bytes.length + 1)
    const length = 1 + tape.below(tape.oneIn(4) ? 200 : 4)
    const put = (middle: Iterable<number>, from = at): void => {
      bytes = Buffer.concat([bytes.subarray(0, at), Uint8Array.from(middle), bytes.subarray(from)])
    }
    switch (tape.below(6)) {
      case 0:
        tape.note('bytes put in')
        put(tape.pick(BYTES))
        break
      case 1:
        tape.note('pieces put in')
        put(encoder.encode(tape.pick(PIECES)))
        break
      case 2:
        tape.note('bytes changed')
        put([tape.below(256)], at + 1)
        break
      case 3:
        tape.note('bytes lost')
        put([], at + length)
        break
      case 4:
        tape.note('bytes doubled')
        put(bytes.subarray(at, at + length))
        break
      default:
        tape.note('truncations')
        bytes = bytes.subarray(0, at)
    }
  }
  return bytes
}

export const damageText = (tape: Tape, source: string): string => new TextDecoder().decode(damageBytes(tape, encoder.encode(source)))

/** The bytes, cut into pieces anywhere. */
export function split(tape: Tape, bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  // Single bytes, a few cuts, or none.
  if (bytes.length < 600 && tape.oneIn(6)) {
    tape.note('streams cut at every byte')
    return Array.from(bytes, (byte) => Uint8Array.of(byte))
  }
  const cuts = [...new Set(tape.list(8, () => tape.below(bytes.length + 1)))].sort((a, b) => a - b)
  for (const cut of cuts) if (((bytes[cut] ?? 0) & 0xc0) === 0x80) tape.note('cuts within a character')
  for (const cut of cuts) if (bytes[cut - 1] === 13 && bytes[cut] === 10) tape.note('cuts within a CRLF')
  return [0, ...cuts].map((from, index) => new Uint8Array(bytes.slice(from, cuts[index] ?? bytes.length)))
}
