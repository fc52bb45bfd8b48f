import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BEARER_TOKEN, isCursor, isEventType, isJobId, isStatus, isTerminal, matches } from '../../src/protocol/rules.ts'

const strangers = [undefined, null, 1, true, {}, [], ['a'], Symbol('a')]

describe('a job id', () => {
  test.each(['42', 'a/b?c#d', '日本', '👩‍💻', ' ', '...', 'Events', 'events2', '__proto__', 'a'.repeat(256), 'é'.repeat(128), '日'.repeat(85)])(
    'may be %j',
    (id) => {
      expect(isJobId(id)).toBe(true)
    }
  )

  test.each(['', '.', '..', 'events', 'a'.repeat(257), 'é'.repeat(129), `${'日'.repeat(85)}é`, '\ud800', 'a\udc00b', ...strangers])('may not be %j', (id) => {
    expect(isJobId(id)).toBe(false)
  })

  test('has 1 to 256 bytes of UTF-8, whatever they are', () => {
    const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }).filter((text) => !['.', '..', 'events'].includes(text))
    fc.assert(fc.property(id, (text) => isJobId(text) === Buffer.byteLength(text) <= 256))
  })
})

describe('a cursor', () => {
  test.each(['0', 'mf3k2x-5', 'tail', 'A.Z_a:z~9-', '-', 'x'.repeat(128)])('may be %j', (id) => {
    expect(isCursor(id)).toBe(true)
  })

  test.each(['', ' ', 'a b', 'a\n', 'é', 'a/b', 'a,b', 'x'.repeat(129), ...strangers])('may not be %j', (id) => {
    expect(isCursor(id)).toBe(false)
  })
})

describe('a token', () => {
  test.each(['a', 'eyJhbGciOiJIUzI1NiJ9.e30.sig==', '12|abcDEF', 'with"quotes\'and,commas;{}', 'caf\u00e9', '\u00ff\u0080'])(
    'may be %j: a header can carry it',
    (token) => {
      expect(matches(token, BEARER_TOKEN)).toBe(true)
      expect(new Headers({ authorization: `Bearer ${token}` }).get('authorization')).toBe(`Bearer ${token}`)
    }
  )

  test.each(['', ' ', 'a b', 'a\n', 'a\r\nx: y', 'a\0', 'a\t', '\x7f', 'a\u20ac', ...strangers])('may not be %j', (token) => {
    expect(matches(token, BEARER_TOKEN)).toBe(false)
  })
})

describe('an event type', () => {
  test.each(['progress', 'app.thumbnail-2_b', 'GAP', '__proto__', 'x'.repeat(64)])('may be %j', (type) => {
    expect(isEventType(type)).toBe(true)
  })

  test.each(['', 'gap', 'a b', 'a:b', 'a~', 'progress\n', 'x'.repeat(65), ...strangers])('may not be %j', (type) => {
    expect(isEventType(type)).toBe(false)
  })
})

test('three types end a job', () => {
  const standard = ['queued', 'started', 'progress', 'log', 'output', 'retrying', 'cancelling', 'succeeded', 'failed', 'cancelled']
  expect(standard.filter(isTerminal)).toEqual(['succeeded', 'failed', 'cancelled'])
})

test('five words are a status', () => {
  const words = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'unknown', 'started', '', 'constructor', ...strangers]
  expect(words.filter(isStatus)).toEqual(['queued', 'running', 'succeeded', 'failed', 'cancelled'])
})
