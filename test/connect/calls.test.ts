/** Deadlines, leaving, credentials, and a network that lets no stream through. */

import http from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { connect } from '../../src/connect.ts'
import { serve } from '../backends/foreign-server.ts'
import { openReader } from '../transports/reader.ts'
import { HELLO, names, readerOf, served } from './reader.ts'
import { follower, serveConnect, web } from './serve.ts'

test('an abort rejects at once also where the transport ignores it', async () => {
  const never = () => new Promise<never>(() => {})
  const [stream] = connect({ transport: { unary: never, stream: never } }).transports
  if (!stream) throw new Error('the backend has no transport')
  const reader = openReader(stream, new URL('http://127.0.0.1/'))
  const pending = reader.toEnd()
  const reason = new Error('enough')
  await new Promise((resolve) => setImmediate(resolve))
  reader.abort(reason)
  await expect(Promise.race([pending, new Promise((late) => setImmediate(late, 'late'))])).rejects.toBe(reason)
})

describe.each(names)('%s', (name) => {
  test('the deadline goes with the call; once it is over, the next call may follow at once', async () => {
    let left: number | undefined
    const listener = served(async function* (_, context) {
      left = context.timeoutMs()
      yield HELLO
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
      throw context.signal.reason
    })
    const reader = await readerOf(name, listener, { timeoutMs: 300 })
    await reader.untilControl('bye')
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(300)
    expect(reader.had.at(-1)).toEqual({ control: 'bye', reason: 'max-age', retryMs: 0 })
  })

  test('an abort rejects with its reason at once, and the server learns of it', async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    const reader = await readerOf(
      name,
      served(async function* (_, { signal }) {
        signal.addEventListener('abort', () => resolve())
        yield HELLO
        await gone
      })
    )
    await reader.untilControl('hello')
    const pending = reader.toEnd()
    const reason = new Error('enough')
    reader.abort(reason)
    await expect(Promise.race([pending, new Promise((late) => setImmediate(late, 'late'))])).rejects.toBe(reason)
    await gone
  })

  test('a single read goes on from where the window has ended it', async () => {
    const { jobs, url, close } = await serveConnect()
    onTestFinished(close)
    for (const step of [1, 2, 3]) await jobs.publish('42', 'output', step)
    const { readOnce } = connect({ transport: web[name] })
    if (!readOnce) throw new Error('the backend has no single read')
    const reader = await openReader(readOnce, new URL(url), undefined, { windowBytes: 1 }).toEnd()
    expect(reader.events.map(({ data }) => data)).toEqual([1, 2, 3])
    expect(jobs.metrics().opened['short-poll']).toBe(3)
  })

  test('leaving the loop ends the call', async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    const reader = await readerOf(
      name,
      served(async function* (_, { signal }) {
        signal.addEventListener('abort', () => resolve())
        yield HELLO
        await gone
      })
    )
    await reader.untilControl('hello')
    await reader.frames.return?.()
    await gone
  })

  test('credentials are sent as by HTTP, and are not in the text of an error', async () => {
    const secret = 'a-very-secret-token-of-mine'
    let sent: string | null = ''
    const listener = served(
      // biome-ignore lint/correctness/useYield: it fails before its first message
      async function* (_, { requestHeader }) {
        sent = requestHeader.get('authorization')
        throw new ConnectError(`bad token ${secret}`, Code.Unavailable)
      }
    )
    const reader = await readerOf(name, listener, {}, { token: secret })
    await expect(reader.toEnd()).rejects.toMatchObject({ message: 'bad token …' })
    expect(sent).toBe(`Bearer ${secret}`)
  })

  test('where answers are held back to their end, short calls bring what streams do not', async () => {
    const { jobs, url, close } = await serveConnect({ shortPollPauseMs: 20 })
    const { port } = new URL(url)
    // A proxy that passes an answer on once it is complete.
    const proxy = await serve(async (req, res) => {
      const upstream = http.request({ port, method: req.method, path: req.url, headers: req.headers }, async (answer) => {
        const body = await buffer(answer).catch(() => undefined)
        if (body) res.writeHead(answer.statusCode ?? 0, answer.headers).end(body)
      })
      upstream.on('error', () => res.destroy())
      res.on('close', () => upstream.destroy())
      req.pipe(upstream)
    }, '/')
    const client = follower(proxy.url, web[name], { probeTimeoutMs: 300 })
    onTestFinished(async () => {
      client.close()
      await proxy.close()
      await close()
    })
    const steps: unknown[] = []
    const done = (async () => {
      for await (const { type, data } of client.subscribe('42')) steps.push(type === 'output' ? data : type)
    })()
    for (const step of [1, 2, 3]) {
      await jobs.publish('42', 'output', step)
      await vi.waitFor(() => expect(steps).toContain(step), { timeout: 15_000 })
    }
    await jobs.publish('42', 'succeeded')
    await done
    expect(steps).toEqual([1, 2, 3, 'succeeded'])
  })
})
