import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JobtailError, TransportError } from '../../src/errors.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { parseText } from '../../src/protocol/parse.ts'
import { redactorOf } from '../../src/transports/redact.ts'

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQtc3ViamVjdCJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const redact = redactorOf({ token: TOKEN, headers: new Headers({ 'x-api-key': 'a-key-of-twenty-chars', 'x-format': 'application/json; charset=utf-8' }) })

describe("what is quoted of an answer leaves out the request's own credentials", () => {
  it.each([
    ['the token', `you sent ${TOKEN}!`, 'you sent …'],
    ['as it travels in a subprotocol', `${Buffer.from(TOKEN).toString('base64url')} is old`, '… is old'],
    ['a header that is one', 'no a-key-of-twenty-chars here', 'no … here'],
    ['its end', `${TOKEN.slice(-40)} is old`, '… is old'],
    ['its middle, in JSON', `{"token":"${TOKEN.slice(20, 60)}"}`, '{"token":"…"}'],
    ['twice', `${TOKEN} ${TOKEN}`, '… …'],
    ['no header that is none', 'not application/json; charset=utf-8', 'not application/json; charset=utf-8'],
    ['nothing that has a few characters of it', 'eyJhbGciOiJIUzI', 'eyJhbGciOiJIUzI']
  ])('%s', (_, text, shown) => {
    expect(redact(text)).toBe(shown)
  })

  it('however it is cut short', () => {
    fc.assert(
      fc.property(fc.nat(TOKEN.length - 16), fc.integer({ min: 16, max: TOKEN.length }), fc.stringMatching(/^[a-z ]{0,20}$/), (from, length, around) => {
        const shown = redact(`${around} ${TOKEN.slice(from, from + length)} ${around}`)
        for (let at = 0; at + 10 <= TOKEN.length; at++) expect(shown).not.toContain(TOKEN.slice(at, at + 10))
        expect(shown.startsWith(`${around} `)).toBe(true)
      })
    )
  })

  it.each([
    ['hunter22', 'no … here'],
    ['on', 'no on here']
  ])('a short one as a whole, but nothing of a few characters: %s', (value, shown) => {
    expect(redactorOf({ token: value, headers: new Headers({ 'x-api-key': value }) })(`no ${value} here`)).toBe(shown)
  })

  it('and those of no other request: what one page has sent is not kept', () => {
    redactorOf({ token: 'production-reader-of-jobs', headers: new Headers() })('production-reader-of-jobs')
    const text = 'https://jobs.production-reader-of-jobs.example'
    expect(redactorOf({ headers: new Headers() })(text)).toBe(text)
    expect(new JobtailError('forbidden', text).message).toBe(text)
  })
})

it('a refusal is handed on without them, and an event as it came', () => {
  const error: Frame = { control: 'error', status: 401, code: TOKEN, message: `no ${TOKEN}` }
  const event: Frame = { id: 'e-1', seq: 1, job: '42', type: 'log', time: '', data: TOKEN }
  expect(parseText(JSON.stringify([error, event]), redact)).toEqual([{ control: 'error', status: 401, code: '…', message: 'no …' }, event])
})

describe('an error', () => {
  it.each([
    ['Authorization: Bearer abc.def, who?', 'Authorization: Bearer … who?'],
    ['offered jobtail.v1, bearer.YWJj', 'offered jobtail.v1, bearer.…'],
    ['{"authorization":"Bearer abc"}', '{"authorization":"Bearer …"}'],
    ['expected a bearer token', 'expected a bearer token']
  ])('says nothing of what follows Bearer: %s', (message, shown) => {
    expect(new JobtailError('unauthorized', message).message).toBe(shown)
    expect(new TransportError('status', message).message).toBe(shown)
  })

  it('is no longer than can be read', () => {
    expect(new JobtailError('protocol', 'x'.repeat(1_000_000)).message).toHaveLength(2000)
  })
})
