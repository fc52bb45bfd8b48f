/** What a fault of the network, an intermediary's answer, or the server's own error is to a link. */

import type http from 'node:http'
import { Code, ConnectError } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connect } from '../../src/connect.ts'
import { serve } from '../backends/foreign-server.ts'
import { openReader } from '../transports/reader.ts'
import { enveloped, HELLO, type Message, names, readerOf, SUBSCRIBED, served, TYPES } from './reader.ts'

describe.each(names)('%s', (name) => {
  const ok = { 'content-type': TYPES[name] }

  test.each<[what: string, listener: http.RequestListener, expected: object]>([
    ['a 401 without a word of the service', (_, res) => res.writeHead(401).end('no'), { reason: 'status', status: 401 }],
    ['a 503 that asks for a pause', (_, res) => res.writeHead(503, { 'retry-after': '7' }).end(), { reason: 'status', status: 503, retryAfterMs: 7000 }],
    ['a 504 with a page', (_, res) => res.writeHead(504, { 'content-type': 'text/html' }).end('<p>'), { reason: 'status', status: 504 }],
    ['a 404 of a router', (_, res) => res.writeHead(404).end(), { reason: 'status', status: 404 }],
    ['a page in place of the answer', (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<p>log in'), { reason: 'content-type' }],
    ['a redirect to a login page', (_, res) => res.writeHead(302, { location: '/login' }).end(), { reason: 'redirected' }],
    ['a connection that is reset at once', (req) => req.socket.resetAndDestroy(), { reason: 'network' }]
  ])('%s is a failure of the path', async (_, listener, expected) => {
    const reader = await readerOf(name, (req, res) => void listener(req, res))
    await expect(reader.toEnd()).rejects.toMatchObject({ name: 'TransportError', ...expected })
    expect(reader.had).toEqual([])
  })

  test.each<[what: string, listener: (res: http.ServerResponse) => void]>([
    ['is reset', (res) => res.socket?.resetAndDestroy()],
    ['ends without its last frame', (res) => res.end()],
    ['ends within a frame', (res) => res.end(enveloped(SUBSCRIBED).subarray(0, 9))]
  ])('a body that %s was cut, and what came before it counts', async (_, end) => {
    const { promise: had, resolve } = Promise.withResolvers<void>()
    const reader = await readerOf(name, async (_req, res) => {
      res.writeHead(200, ok).write(enveloped(HELLO))
      await had
      end(res)
    })
    await reader.untilControl('hello')
    resolve()
    await expect(reader.toEnd()).rejects.toMatchObject({ name: 'TransportError', reason: 'cut' })
    expect(reader.had).toMatchObject([{ control: 'hello' }])
  })

  test.each([
    [Code.NotFound, { status: 404, code: 'unknown-job' }],
    [Code.DataLoss, { status: 410, code: 'history-gone' }],
    [Code.OutOfRange, { status: 410, code: 'history-gone' }]
  ])('code %i, which nobody but a service says, is a refusal', async (code, expected) => {
    const reader = await readerOf(
      name,
      // biome-ignore lint/correctness/useYield: it fails before its first message
      served(async function* () {
        throw new ConnectError('no', code)
      })
    )
    await reader.toEnd()
    expect(reader.had).toEqual([{ control: 'error', message: 'no', ...expected }])
  })

  test.each([
    [Code.Unknown, { reason: 'cut' }],
    [Code.Internal, { reason: 'cut' }],
    [Code.InvalidArgument, { reason: 'cut' }],
    [Code.Aborted, { reason: 'cut' }],
    [Code.Unimplemented, { reason: 'unsupported' }],
    [Code.DeadlineExceeded, { reason: 'timeout' }],
    [Code.Unauthenticated, { reason: 'status', status: 401 }],
    [Code.PermissionDenied, { reason: 'status', status: 403 }],
    [Code.ResourceExhausted, { reason: 'status', status: 429, retryAfterMs: 3000 }],
    [Code.Unavailable, { reason: 'status', status: 503, retryAfterMs: 3000 }]
  ])('code %i without a Problem says nothing of the job', async (code, expected) => {
    const reader = await readerOf(
      name,
      // biome-ignore lint/correctness/useYield: it fails before its first message
      served(async function* () {
        throw new ConnectError('no', code, { 'retry-after': '3' })
      })
    )
    await expect(reader.toEnd()).rejects.toMatchObject({ name: 'TransportError', ...expected })
  })

  test.each<[what: string, message: Message, expected: string]>([
    ['an id that is none', { frame: { case: 'event', value: { id: 'a b', seq: 1n, job: '42', type: 'log' } } }, 'id: expected a string like'],
    ['a seq of 0', { frame: { case: 'event', value: { id: 'a', seq: 0n, job: '42', type: 'log' } } }, 'seq: expected an integer from 1, got 0'],
    ['a seq beyond 2^53', { frame: { case: 'event', value: { id: 'a', seq: 2n ** 60n, job: '42', type: 'log' } } }, 'seq: expected an integer from 1'],
    ['data that is no JSON', { frame: { case: 'event', value: { id: 'a', seq: 1n, job: '42', type: 'log', dataJson: '{' } } }, 'data_json: expected JSON'],
    ['an unknown status', { frame: { case: 'subscribed', value: { cursor: 'a', status: 'paused' } } }, 'status: expected a string like'],
    ['an empty cursor', { frame: { case: 'done', value: { job: '42' } } }, 'cursor: expected a string like']
  ])('%s breaks the protocol, and what came before it counts', async (_, frame, expected) => {
    const reader = await readerOf(name, (_req, res) => res.writeHead(200, ok).end(enveloped(HELLO, SUBSCRIBED, frame)))
    await expect(reader.toEnd()).rejects.toMatchObject({ name: 'TransportError', reason: 'protocol', message: expect.stringContaining(expected) })
    expect(reader.had).toMatchObject([{ control: 'hello' }, { control: 'subscribed' }])
  })

  test('a frame that is not known yet is passed over', async () => {
    const later = Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x9a, 0x06, 0]) // a frame that has field 99, an empty message
    const reader = await readerOf(name, (_, res) => res.writeHead(200, ok).write(Buffer.concat([later, enveloped(HELLO)])))
    await reader.untilControl('hello')
    expect(reader.had).toMatchObject([{ control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 }])
  })
})

test.each<[what: string, listener: http.RequestListener, expected: object]>([
  ['a 503', (_, res) => res.writeHead(503).end(), { reason: 'status', status: 503 }],
  ['a page in place of the answer', (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<p>log in'), { reason: 'cut' }],
  ['a connection that is reset', (req) => req.socket.resetAndDestroy(), { reason: 'cut' }]
])("a transport of one's own has its own fetch: %s is a failure of the path all the same", async (_, listener, expected) => {
  const { url, close } = await serve((req, res) => void listener(req, res), '/')
  onTestFinished(close)
  const [stream] = connect({ transport: createConnectTransport({ baseUrl: url }) }).transports
  if (!stream) throw new Error('the backend has no transport')
  await expect(openReader(stream, new URL(url)).toEnd()).rejects.toMatchObject({ name: 'TransportError', ...expected })
})
