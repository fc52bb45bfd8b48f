import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket as NodeWebSocket, type WebSocket as ServerSocket, WebSocketServer } from 'ws'
import { webSocket } from '../../src/transports/websocket.ts'
import type { OpenRequest } from '../../src/types.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { event } from './scripted-fetch.ts'
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts'

const hello = JSON.stringify({ control: 'hello', protocol: 1, heartbeatMs: 15_000 })

/** A server that does with each socket what the test says. */
async function serve(accept: (socket: ServerSocket, url: string | undefined) => void): Promise<URL> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (socket, { url }) => accept(socket, url))
  await once(server, 'listening')
  onTestFinished(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs`) // as: it listens on TCP
}

async function startServer(): Promise<ScriptedServer> {
  const server = await startScriptedServer()
  onTestFinished(() => server.kill())
  return server
}

function open(base: URL, jobs?: readonly Asked[], more?: Partial<OpenRequest>): Reader {
  const reader = openReader(webSocket(), base, jobs, more)
  onTestFinished(() => reader.abort())
  return reader
}

describe('the operations', () => {
  it('are only what the URL has not said: gone jobs first, then new ones and those asked anew', async () => {
    const server = await startServer()
    const reader = await open(server.base, [
      { job: 'a', ref: 1 },
      { job: 'b', ref: 2 },
      { job: 'c', ref: 3 }
    ]).until(({ had }) => had.length === 4)
    reader.link.update?.([
      { job: 'a', ref: 1, after: 'e-7' },
      { job: 'b', ref: 4, after: 'e-1' },
      { job: 'd', ref: 5 }
    ])
    await reader.until(({ had }) => had.length === 6)
    expect(server.received[0]?.url.search).toBe('?job=a&after=&job=b&after=&job=c&after=')
    expect(server.received[0]?.operations).toEqual([
      { op: 'unsubscribe', job: 'c' },
      { op: 'subscribe', job: 'b', after: 'e-1', ref: 4 },
      { op: 'subscribe', job: 'd', ref: 5 }
    ])
    reader.link.update?.([{ job: 'd', ref: 5 }])
    await vi.waitFor(() => expect(server.received[0]?.operations).toHaveLength(5))
    expect(server.received[0]?.operations.slice(3)).toEqual([
      { op: 'unsubscribe', job: 'a' },
      { op: 'unsubscribe', job: 'b' }
    ])
  })
})

it('gives each message as it came', async () => {
  const base = await serve((socket) => {
    socket.send(hello)
    socket.send(JSON.stringify([event(1), event(2)]))
    socket.send('[]')
    socket.close(1000)
  })
  const { frames } = open(base)
  const values = [await frames.next(), await frames.next(), await frames.next(), await frames.next(), await frames.next()].map(({ value }) => value)
  // the first empty batch says that the socket is open
  expect(values.map((batch) => batch && [...batch])).toEqual([[], [JSON.parse(hello)], [event(1), event(2)], [], undefined])
  expect(values.map((batch) => batch?.textLength)).toEqual([undefined, hello.length, JSON.stringify([event(1), event(2)]).length, 2, undefined])
})

it('is given up where nobody reads what it brings', async () => {
  const base = await serve((socket) => {
    for (let sent = 0; sent <= 100_000; sent++) socket.send('[]')
    socket.close(1000)
  })
  const closed = Promise.withResolvers<void>()
  class Watched extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args)
      this.addEventListener('close', () => closed.resolve())
    }
  }
  const { frames, toEnd } = open(base, undefined, { WebSocket: Watched })
  await frames.next()
  await closed.promise
  await expect(toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('not read') })
})

describe('a socket that is closed', () => {
  const bye = (retryMs: number) => ({ control: 'bye', reason: 'shutdown', retryMs })
  const error = (status: number) => ({ control: 'error', status, code: 'closed', message: expect.stringContaining(`${4000 + status} so`) })

  it.each([
    [1000, undefined],
    [1001, bye(1000)],
    [1012, bye(1000)],
    [1013, bye(10_000)],
    [4400, error(400)],
    [4401, error(401)],
    [4404, error(404)],
    [4429, error(429)],
    [4503, error(503)]
  ])('with %d ends with what the code says', async (code, last) => {
    const base = await serve((socket) => {
      socket.send(hello)
      socket.close(code, 'so')
    })
    expect((await open(base).toEnd()).had.slice(1)).toEqual(last ? [last] : [])
  })

  it.each([1005, 1011, 3000, 4600])('with %d has been cut', async (code) => {
    const base = await serve((socket) => {
      socket.send(hello)
      if (code === 1005) socket.close()
      else socket.close(code)
    })
    await expect(open(base).toEnd()).rejects.toMatchObject({ reason: 'cut', message: expect.stringContaining(`${code}`) })
  })

  it.each([1001, 1012, 1013])('with %d before its first frame has been cut: whoever stands in between closes so too, and others may deliver', async (code) => {
    const base = await serve((socket) => socket.close(code))
    await expect(open(base).toEnd()).rejects.toMatchObject({ reason: 'cut', message: expect.stringContaining(`${code}`) })
  })

  it.each([
    [1012, { control: 'bye', reason: 'max-age', retryMs: 5 }],
    [1011, { control: 'bye', reason: 'slow', retryMs: 5 }],
    [4401, { control: 'bye', reason: 'auth', retryMs: 5 }],
    [4404, { control: 'error', job: '42', status: 404, code: 'unknown-job', message: 'no' }],
    [1013, { control: 'error', status: 429, code: 'busy', message: 'no' }]
  ])('with %d adds nothing to what was said last', async (code, frame) => {
    const base = await serve((socket) => {
      socket.send(JSON.stringify(frame))
      socket.send('[]')
      socket.close(code)
    })
    expect((await open(base).toEnd()).had).toEqual([frame])
  })

  it('with a code says that, where an error said earlier was of one job', async () => {
    const gone = { control: 'error', job: '43', status: 404, code: 'unknown-job', message: 'no' }
    const base = await serve((socket) => {
      for (const frame of [gone, event(1)]) socket.send(JSON.stringify(frame))
      socket.close(1012)
    })
    expect((await open(base).toEnd()).had).toEqual([gone, event(1), bye(1000)])
  })
})

describe('a socket that is given up', () => {
  it('is one with binary messages', async () => {
    const over = Promise.withResolvers<void>()
    const base = await serve((socket) => {
      socket.on('close', () => over.resolve())
      socket.send(Buffer.from(hello))
    })
    await expect(open(base).toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('[object ') })
    await over.promise
  })

  it('gives what came before a malformed frame', async () => {
    const base = await serve((socket) => {
      socket.send(hello)
      socket.send(JSON.stringify(event(1)))
      socket.send('{"id":7}')
    })
    const reader = open(base)
    await expect(reader.toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('{"id":7}') })
    expect(reader.events).toEqual([event(1)])
  })
})

describe('another WebSocket than the global one', () => {
  const WebSocket = NodeWebSocket as unknown as OpenRequest['WebSocket'] // as: the same interface, declared apart

  it('carries a job', async () => {
    const server = await startServer()
    server.append('42', 'succeeded')
    const reader = await open(server.base, undefined, { WebSocket }).untilControl('done')
    expect(reader.events).toHaveLength(1)
  })

  it('is closed while it connects, and its error does not escape', async () => {
    const server = await startServer()
    server.fault = { do: 'hang' }
    const reader = open(server.base, undefined, { WebSocket })
    const end = reader.toEnd().catch((error) => error)
    await vi.waitFor(() => expect(server.open).toBe(1))
    reader.abort('enough')
    expect(await end).toBe('enough')
    await vi.waitFor(() => expect(server.open).toBe(0))
  })

  it('may be none at all', async () => {
    await expect(open(new URL('http://localhost/jobs'), undefined, { WebSocket: undefined as never }).toEnd()).rejects.toMatchObject({ reason: 'unsupported' })
  })
})

describe('the window of a socket', () => {
  /** Sends this many frames of 100 characters, and returns the client's operations. */
  async function windowed(windowBytes: number, count: number): Promise<{ reader: Reader; operations: unknown[]; url: () => string | undefined }> {
    const operations: unknown[] = []
    let asked: string | undefined
    const base = await serve((socket, url) => {
      asked = url
      socket.on('message', (text) => operations.push(JSON.parse(String(text))))
      socket.send(JSON.stringify({ control: 'subscribed', job: '42', epoch: 'e', seq: 0, cursor: 'e-0', status: 'running' }))
      for (let seq = 1; seq <= count; seq++) {
        const text = JSON.stringify(event(seq, ''))
        socket.send(JSON.stringify(event(seq, 'x'.repeat(100 - text.length))))
      }
      socket.send(JSON.stringify({ control: 'heartbeat' }))
    })
    return { reader: open(base, undefined, { windowBytes }), operations, url: () => asked }
  }

  it('is told in the URL, opened when a job is read, and anew each time a quarter of it has been read', async () => {
    const { reader, operations, url } = await windowed(2000, 20)
    await reader.untilControl('heartbeat')
    const next = reader.frames.next() // whatever was taken before this call counts as read
    await vi.waitFor(() => expect(operations).toHaveLength(5))
    expect(operations).toEqual(Array.from({ length: 5 }, () => ({ op: 'window', bytes: 2000 })))
    expect(url()).toBe('/jobs/42/events?window=2000')
    reader.abort('enough')
    await expect(next).rejects.toBe('enough')
  })

  it('stays shut while nobody reads', async () => {
    const { reader, operations } = await windowed(2000, 20)
    await reader.untilEvents(4)
    await reader.frames.next() // four have been read, which is less than a quarter
    await vi.waitFor(() => expect(operations).toHaveLength(1)) // the window that follows the first `subscribed`
  })

  it('is none where none is given', async () => {
    const { reader, operations, url } = await windowed(Infinity, 20)
    await reader.untilControl('heartbeat')
    expect(operations).toEqual([])
    expect(url()).toBe('/jobs/42/events')
  })
})

it('carries a token of any characters that a header can, as the bytes that the header would have', async () => {
  const server = await startServer()
  server.append('42', 'succeeded')
  const token = '12|a"b,é\u00ff'
  await open(server.base, undefined, { token }).untilControl('done')
  const [, offered = ''] = `${server.received[0]?.headers['sec-websocket-protocol']}`.split(', bearer.')
  expect(Buffer.from(offered, 'base64url').toString('latin1')).toBe(token)
})

it('asks for no more than what it needs to be told: the epoch stays here', async () => {
  const server = await startServer()
  const reader = await open(server.base, []).until(({ had }) => had.length > 0)
  reader.link.update?.([{ job: '42', after: 'e-1', epoch: 'e', seq: 1, ref: 7 }])
  await reader.untilControl('subscribed')
  expect(server.received[0]?.operations).toEqual([{ op: 'subscribe', job: '42', after: 'e-1', ref: 7 }])
})

it('gives a message that has been waited for within the turn that it comes in', async () => {
  let socket: WebSocket | undefined
  function Socket(this: WebSocket): void {
    socket = Object.assign(this, { url: 'ws://localhost/jobs', send() {}, close() {} })
  }
  const { frames } = open(new URL('http://localhost/jobs'), undefined, { WebSocket: Socket as unknown as typeof WebSocket }) // as: it is only made
  const order: string[] = []
  const taken = frames.next().then(() => order.push('taken'))
  socket?.onmessage?.(new MessageEvent('message', { data: hello }))
  await Promise.resolve().then(() => order.push('two turns later'))
  await taken
  expect(order).toEqual(['taken', 'two turns later'])
})
