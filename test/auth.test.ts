import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Auth, createAuth } from '../src/auth.ts'
import type { Credentials } from '../src/credentials.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A new object each time, as from the token source. */
const another = (): Credentials => ({ headers: new Headers() })

function authorized(canReauthorize = true): Auth {
  const auth = createAuth(canReauthorize)
  auth.set(another())
  return auth
}

/** Credentials are refused, the token source is called again, and its credentials are put in use. */
function again(auth: Auth): number | undefined {
  const times = auth.refuse(true)
  auth.set(another())
  auth.accept()
  return times
}

test('there are none before they have been asked for; then there are the latest', () => {
  const auth = createAuth(true)
  expect(auth.latest).toBeUndefined()
  const [first, second] = [another(), another()]
  auth.set(first)
  auth.set(second)
  expect(auth.latest).toBe(second)
})

test('those from before are superseded, and so are the refused while new ones are asked for', () => {
  const auth = authorized()
  const first = auth.latest
  expect(auth.isSuperseded(first)).toBe(false)
  auth.refuse(true)
  expect(auth.isSuperseded(first)).toBe(true)
  auth.set(another())
  expect(auth.isSuperseded(first)).toBe(true)
  expect(auth.isSuperseded(auth.latest)).toBe(false)
})

test('those from before are superseded also where nothing has refused them: an upgrade has brought others', () => {
  const auth = authorized()
  const first = auth.latest
  auth.set(another())
  expect(auth.isSuperseded(first)).toBe(true)
})

test('refused anew before anything was read, another one is of no use', () => {
  const auth = authorized()
  expect(auth.refuse(true)).toBe(0)
  auth.set(another())
  expect(auth.refuse(true)).toBeUndefined()
})

test('once something was read, or nobody reads any more, another one may be of use', () => {
  const auth = authorized()
  auth.refuse(true)
  auth.set(another())
  auth.accept()
  expect(auth.refuse(true)).toBe(1)
})

test('another one is of no use where it is always the same', () => {
  const auth = authorized(false)
  expect(auth.refuse(true)).toBeUndefined()
  expect(auth.isSuperseded(auth.latest)).toBe(false)
})

test('it is counted how often they are soon refused again, until they have lasted', () => {
  const auth = authorized()
  expect(again(auth)).toBe(0)
  expect(again(auth)).toBe(1)
  vi.advanceTimersByTime(4999)
  expect(again(auth)).toBe(2)
  vi.advanceTimersByTime(5000)
  expect(again(auth)).toBe(0)
})
