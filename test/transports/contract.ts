/** The contract of every transport. */

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { TransportError } from '../../src/errors.ts'
import type { Transport } from '../../src/types.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts'

export interface Traits {
  /** Hides the status of a refused handshake, as browsers do for a WebSocket. */
  hidesStatus?: boolean
  /** It has no connection between two answers, so a cut may go unnoticed. */
  connectionless?: boolean
}

const failure = (pending: Promise<unknown>): Promise<TransportError> =>
  pending.then(
    () => expect.fail('it did not fail'),
    (error) => {
      expect(error).toBeInstanceOf(TransportError)
      return error
    }
  )

/** Tests a transport against the contract. */
export function describeTransport(make: () => Transport, { hidesStatus = false, connectionless = false }: Traits = {}): void {
  const { name } = make()
  let server: ScriptedServer

  beforeEach(async () => {
    server = await startScriptedServer()
  })
  afterEach(() => server.kill())

  /** A reader that is released at the test's end, whatever its outcome. */
  function open(jobs?: readonly Asked[], more?: Parameters<typeof openReader>[3]): Reader {
    const reader = openReader(make(), server.base, jobs, more)
    onTestFinished(() => reader.abort())
    return reader
  }
  const allClosed = (): Promise<void> => vi.waitFor(() => expect(server.open).toBe(0))
  /** Resolves when the server has answered a request that was made after all others. */
  const roundTrip = async (): Promise<void> => void (await (await fetch(new URL('/jobs/other/events', server.base))).text())
  const ids = (reader: Reader): string[] => reader.events.map(({ job, id }) => `${job}:${id}`)

  describe(`${name}: reading`, () => {
    it('does nothing before the first next()', async () => {
      open()
      await roundTrip()
      expect(server.received.map(({ url }) => url.pathname)).toEqual(['/jobs/other/events'])
    })

    it('says hello, subscribed, then the events in order, and goes on with what is appended', async () => {
      server.append('42', 'queued')
      server.append('42', 'started')
      const reader = await open().untilEvents(2)
      expect(reader.had.slice(0, 2)).toMatchObject([
        { control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 },
        { control: 'subscribed', job: '42', epoch: 'e', seq: 0, cursor: 'e-0' }
      ])
      server.append('42', 'progress', { ratio: 0.5 })
      await reader.untilEvents(3)
      server.append('42', 'succeeded', { answer: 42 })
      await reader.untilControl('done')
      server.finish()
      await reader.toEnd()
      expect(reader.events.map(({ seq, type }) => `${seq} ${type}`)).toEqual(['1 queued', '2 started', '3 progress', '4 succeeded'])
      expect(reader.had.at(-1)).toEqual({ control: 'done', job: '42', cursor: 'e-4' })
      await allClosed()
    })

    it('reads several jobs, each from its cursor', async () => {
      for (const job of ['a', 'b', 'ä/ö?&', 'a', 'b', 'ä/ö?&']) server.append(job)
      const reader = await open([{ job: 'a', after: 'e-1' }, { job: 'b' }, { job: 'ä/ö?&', after: 'tail' }]).untilEvents(3)
      server.append('ä/ö?&')
      await reader.untilEvents(4)
      expect(ids(reader)).toEqual(['a:e-2', 'b:e-1', 'b:e-2', 'ä/ö?&:e-3'])
    })

    it('starts a single job after its cursor', async () => {
      for (let index = 0; index < 3; index++) server.append('42')
      const reader = await open([{ job: '42', after: 'e-2' }]).untilEvents(1)
      expect(ids(reader)).toEqual(['42:e-3'])
    })

    it('starts a single job at the tail', async () => {
      server.append('42')
      const reader = await open([{ job: '42', after: 'tail' }]).untilControl('subscribed')
      server.append('42')
      await reader.untilEvents(1)
      expect(ids(reader)).toEqual(['42:e-2'])
    })

    it('is told at once that a finished log ends at the cursor', async () => {
      server.append('42', 'succeeded')
      const reader = await open([{ job: '42', after: 'e-1' }]).untilControl('done')
      expect(reader.had).toContainEqual({ control: 'done', job: '42', cursor: 'e-1' })
      expect(reader.events).toEqual([])
    })

    it('keeps thousands of events in order', async () => {
      const reader = open()
      const pending = reader.untilEvents(4000)
      for (let index = 0; index < 4000; index++) server.append('42')
      await pending
      expect(reader.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 4000 }, (_, index) => index + 1))
    })

    it('takes an event of 2 MB', async () => {
      const text = 'ü'.repeat(1_000_000)
      server.append('42', 'output', text)
      const reader = await open().untilEvents(1)
      expect(reader.events[0]?.data).toBe(text)
    })

    it('is not fooled by __proto__', async () => {
      server.append('42', 'output', JSON.parse('{"__proto__":{"polluted":true}}'))
      const reader = await open().untilEvents(1)
      expect(Object.hasOwn(reader.events[0]?.data as object, '__proto__')).toBe(true) // as: the object above
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined() // as: the field must not exist
    })
  })

  describe(`${name}: changing the list`, () => {
    const changeable = make().open({
      base: new URL('http://localhost/jobs'),
      jobs: [],
      windowBytes: Infinity,
      isFresh: false,
      headers: new Headers(),
      credentials: 'omit',
      signal: new AbortController().signal,
      fetch,
      WebSocket
    }).update

    it.runIf(changeable)('reads what is new from its cursor and says which asking it answers; leaves what is gone', async () => {
      for (const job of ['a', 'b', 'b']) server.append(job)
      const reader = await open([{ job: 'a', ref: 1 }]).untilEvents(1)
      const pending = reader.untilEvents(2)
      reader.link.update?.([{ job: 'b', after: 'e-1', ref: 2 }])
      await pending
      expect(reader.had).toContainEqual(expect.objectContaining({ control: 'subscribed', job: 'b', seq: 1, ref: 2 }))
      server.append('a')
      server.append('b')
      await reader.untilEvents(3)
      expect(ids(reader)).toEqual(['a:e-1', 'b:e-2', 'b:e-3'])
    })

    it.runIf(changeable)('reads a job again from another cursor under a new ref', async () => {
      server.append('42')
      const reader = await open([{ job: '42', ref: 1 }]).untilEvents(1)
      reader.link.update?.([{ job: '42', ref: 2 }])
      await reader.untilEvents(2)
      expect(ids(reader)).toEqual(['42:e-1', '42:e-1'])
      expect(reader.had.findIndex((frame) => 'control' in frame && frame.control === 'subscribed' && frame.ref === 2)).toBeGreaterThan(
        reader.had.findIndex((frame) => !('control' in frame))
      )
    })

    it.runIf(changeable)('takes a change before it has begun', async () => {
      server.append('b')
      const reader = open([{ job: 'a' }])
      reader.link.update?.([{ job: 'b', ref: 9 }])
      await reader.untilEvents(1)
      expect(ids(reader)).toEqual(['b:e-1'])
    })

    it.runIf(changeable)('takes a change while it connects', async () => {
      server.append('a')
      server.append('b')
      const reader = open([{ job: 'a', ref: 1 }])
      const pending = reader.until(({ events }) => events.some(({ job }) => job === 'b'))
      reader.link.update?.([
        { job: 'a', ref: 1 },
        { job: 'b', ref: 2 }
      ])
      await pending
      expect(ids(await reader.untilEvents(2)).sort()).toEqual(['a:e-1', 'b:e-1'])
    })
  })

  describe(`${name}: ending`, () => {
    it('asks for nothing when aborted before it begins', async () => {
      const reader = open()
      const reason = new Error('before')
      reader.abort(reason)
      await expect(reader.frames.next()).rejects.toBe(reason)
      expect(await reader.frames.next()).toEqual({ done: true, value: undefined })
      await roundTrip()
      expect(server.received).toHaveLength(1)
    })

    it('rejects with the very reason when aborted while connecting', async () => {
      server.fault = { do: 'hang' }
      const reader = open()
      const pending = reader.frames.next()
      pending.catch(() => {}) // checked below
      await vi.waitFor(() => expect(server.received).toHaveLength(1))
      const reason = { any: 'value' }
      reader.abort(reason)
      await expect(pending).rejects.toBe(reason)
      await allClosed()
      server.fault = undefined
      await roundTrip()
      expect(server.received).toHaveLength(2)
    })

    it('rejects with the very reason, within a tick, when aborted while waiting', async () => {
      const reader = await open().untilControl('subscribed')
      const pending = reader.frames.next()
      const settled = vi.fn()
      pending.catch(settled)
      const reason = new Error('waiting')
      reader.abort(reason)
      await new Promise<void>((resolve) => setImmediate(resolve))
      expect(settled).toHaveBeenCalledWith(reason)
      await allClosed()
      const before = server.received.length
      server.append('42')
      await roundTrip()
      expect(server.received).toHaveLength(before + 1)
    })

    it('rejects the next next() when aborted between two', async () => {
      server.append('42')
      const reader = await open().untilEvents(1)
      const reason = new Error('between')
      reader.abort(reason)
      await expect(reader.frames.next()).rejects.toBe(reason)
      expect(await reader.frames.next()).toEqual({ done: true, value: undefined })
      await allClosed()
    })

    it('asks for nothing after a return() before it begins', async () => {
      const reader = open()
      await reader.frames.return?.()
      expect(await reader.frames.next()).toEqual({ done: true, value: undefined })
      await roundTrip()
      expect(server.received).toHaveLength(1)
    })

    it('lets everything go when the loop is left', async () => {
      server.append('42')
      for await (const frames of open().link.frames) if ([frames].flat().length > 0) break
      await allClosed()
    })

    it.runIf(!connectionless)('throws when the connection is cut', async () => {
      const reader = await open().untilControl('subscribed')
      const pending = failure(reader.toEnd())
      server.cut()
      expect((await pending).reason).toBe('cut')
    })

    it('throws when the server is gone', async () => {
      const reader = await open().untilControl('subscribed')
      const pending = failure(reader.toEnd())
      await server.kill()
      expect(['cut', 'network']).toContain((await pending).reason)
      expect(await reader.frames.next()).toEqual({ done: true, value: undefined })
    })

    it('throws when nobody listens', async () => {
      await server.kill()
      expect((await failure(open().toEnd())).reason).toBe(hidesStatus ? 'refused' : 'network')
    })
  })

  describe(`${name}: errors`, () => {
    it.each([400, 401, 403, 404, 410, 429, 503])('passes a problem %d on as an error, with its Retry-After', async (status) => {
      server.fault = { do: 'problem', status, code: 'busy', retryAfterS: 7 }
      const reader = await open().toEnd()
      expect(reader.had.at(-1)).toMatchObject({ control: 'error', status, code: 'busy', message: 'no', retryAfterMs: 7000 })
      await allClosed()
    })

    it.each([403, 500, 502])("takes a page with %d for the path's own failure", async (status) => {
      server.fault = { do: 'page', status }
      const error = await failure(open().toEnd())
      expect(error).toMatchObject(hidesStatus ? { reason: 'refused' } : { reason: 'status', status })
      await allClosed()
    })

    it('throws on what is no frame, and shows how it begins', async () => {
      server.fault = { do: 'text', text: '{"nonsense": tru' }
      const error = await failure(open().toEnd())
      expect(error.reason).toBe('protocol')
      expect(error.message).toContain('{"nonsense": tru')
      await allClosed()
    })

    it('keeps the token out of URLs and messages', async () => {
      const token = 'c2VjcmV0.LXRva2Vu'
      server.append('42', 'succeeded')
      await open(undefined, { token }).untilControl('done')
      server.fault = { do: 'page', status: 403 }
      const refused = await failure(open(undefined, { token }).toEnd())
      for (const { url } of server.received) expect(url.href).not.toContain(token)
      expect(`${refused.message} ${refused.cause}`).not.toContain(token)
      const { headers } = server.received[0] ?? expect.fail('nothing was asked')
      expect([headers.authorization, headers['sec-websocket-protocol']]).toContain(
        headers.authorization ? `Bearer ${token}` : `jobtail.v1, bearer.${Buffer.from(token).toString('base64url')}`
      )
    })
  })
}
