import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTokens, type Tokens, type TokensOptions } from '../../src/strategy/tokens.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const { signal } = new AbortController()

/** Another object each time, as the token source gives. */
async function authorized(options: Partial<TokensOptions> = {}): Promise<Tokens> {
  const tokens = createTokens({ authorize: async () => ({ headers: new Headers() }), canReauthorize: true, ...options })
  await tokens.authorize(signal)
  return tokens
}

/** Refused, asked for anew, and taken. */
async function again(tokens: Tokens): Promise<number | undefined> {
  const times = tokens.refuse()
  await tokens.authorize(signal)
  tokens.forget()
  return times
}

test('those from before are old, and so are the refused while new ones are asked for', async () => {
  const tokens = await authorized()
  const first = tokens.credentials()
  expect(tokens.areOld(first)).toBe(false)
  tokens.refuse()
  expect(tokens.areOld(first)).toBe(true)
  await tokens.authorize(signal)
  expect(tokens.areOld(first)).toBe(true)
  expect(tokens.areOld(tokens.credentials())).toBe(false)
})

test('refused anew before anything was read, another one is of no use', async () => {
  const tokens = await authorized()
  expect(tokens.refuse()).toBe(0)
  await tokens.authorize(signal)
  expect(tokens.refuse()).toBeUndefined()
})

test('nor is one that is always the same', async () => {
  const tokens = await authorized({ canReauthorize: false })
  expect(tokens.refuse()).toBeUndefined()
})

test('it is counted how often they are soon refused again, until they have lasted', async () => {
  const tokens = await authorized()
  expect(await again(tokens)).toBe(0)
  expect(await again(tokens)).toBe(1)
  vi.advanceTimersByTime(4999)
  expect(await again(tokens)).toBe(2)
  vi.advanceTimersByTime(5000)
  expect(await again(tokens)).toBe(0)
})

test('where asking is called off or fails, those from before stay', async () => {
  const authorize = vi.fn<TokensOptions['authorize']>(async () => ({ headers: new Headers() }))
  const tokens = await authorized({ authorize })
  const before = tokens.credentials()
  authorize.mockRejectedValueOnce(new Error('no token'))
  await expect(tokens.authorize(signal)).rejects.toThrow('no token')
  await expect(tokens.authorize(AbortSignal.abort('called off'))).rejects.toBe('called off')
  expect(tokens.credentials()).toBe(before)
})
