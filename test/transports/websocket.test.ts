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

/** A server that does to each socket what the test says. */
async function serve(accept: (socket: ServerSocket) => void): Promise<URL> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', accept)
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

  it('carry a list that is too long for a URL', async () => {
    const server = await startServer()
    const jobs = Array.from({ length: 100 }, (_, index) => ({ job: `${'j'.repeat(60)}-${index}`, ref: index }))
    const reader = await open(server.base, jobs).until(({ had }) => had.length === 101)
    expect(server.received[0]?.url.href).toBe(`${server.base}/events`)
    expect(reader.had.slice(1)).toMatchObject(jobs.map(({ job, ref }) => ({ control: 'subscribed', job, ref })))
  })
})

it('gives messages that came before they were asked for as one array', async () => {
  const accepted = Promise.withResolvers<ServerSocket>()
  const base = await serve(accepted.resolve)
  const closed = Promise.withResolvers<void>()
  class Watched extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args)
      this.addEventListener('close', () => closed.resolve())
    }
  }
  const { frames } = open(base, undefined, { WebSocket: Watched })
  const opened = frames.next()
  const socket = await accepted.promise
  expect((await opened).value).toEqual([])
  socket.send(hello)
  expect((await frames.next()).value).toEqual([JSON.parse(hello)])
  for (let seq = 1; seq <= 5; seq++) socket.send(JSON.stringify(event(seq)))
  socket.send(JSON.stringify([event(6), event(7)]))
  socket.close(1000)
  await closed.promise
  expect((await frames.next()).value).toEqual([1, 2, 3, 4, 5, 6, 7].map((seq) => event(seq)))
  expect((await frames.next()).done).toBe(true)
})

describe('a socket that is closed', () => {
  const bye = { control: 'bye', reason: 'shutdown', retryMs: 1000 }
  const error = (status: number, code: string, about = {}) => ({ control: 'error', ...about, status, code, message: 'so' })

  it.each([
    [1000, undefined],
    [1001, bye],
    [1012, bye],
    [1013, error(503, 'busy')],
    [4400, error(400, 'bad-request')],
    [4401, error(401, 'unauthorized')],
    [4403, error(403, 'forbidden', { job: '42' })],
    [4404, error(404, 'unknown-job', { job: '42' })],
    [4410, error(410, 'history-gone', { job: '42' })],
    [4422, error(422, 'bad-request')],
    [4429, error(429, 'busy')],
    [4503, error(503, 'busy')]
  ])('with %d ends with what the code says', async (code, last) => {
    const base = await serve((socket) => {
      socket.send(hello)
      socket.close(code, 'so')
    })
    expect((await open(base).toEnd()).had.slice(1)).toEqual(last ? [last] : [])
  })

  it.each([1005, 1011, 3000, 4500])('with %d has been cut', async (code) => {
    const base = await serve((socket) => {
      socket.send(hello)
      if (code === 1005) socket.close()
      else socket.close(code)
    })
    await expect(open(base).toEnd()).rejects.toMatchObject({ reason: 'cut', message: expect.stringContaining(`${code}`) })
  })

  it.each([
    [1012, { control: 'bye', reason: 'max-age', retryMs: 5 }],
    [1011, { control: 'bye', reason: 'slow', retryMs: 5 }],
    [4401, { control: 'bye', reason: 'auth', retryMs: 5 }],
    [4404, { control: 'error', job: '42', status: 404, code: 'unknown-job', message: 'no' }],
    [1013, { control: 'error', status: 429, code: 'busy', message: 'no' }]
  ])('with %d adds nothing to what was said', async (code, frame) => {
    const base = await serve((socket) => {
      socket.send(JSON.stringify(frame))
      socket.close(code)
    })
    expect((await open(base).toEnd()).had).toEqual([frame])
  })
})

describe('a socket that is given up', () => {
  it('is one with binary messages', async () => {
    const over = Promise.withResolvers<void>()
    const base = await serve((socket) => {
      socket.on('close', () => over.resolve())
      socket.send(Buffer.from(hello))
    })
    await expect(open(base).toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('binary') })
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

  it('is one that nobody reads, before it fills the memory', async () => {
    const sockets: Silent[] = []
    class Silent extends EventTarget {
      readonly url = 'ws://localhost/jobs/42/events'
      readonly close = vi.fn()
      onmessage: (message: { data: string }) => void = () => {}
      constructor() {
        super()
        sockets.push(this)
      }
    }
    const { frames } = open(new URL('http://localhost/jobs'), undefined, { WebSocket: Silent as never }) // as: as much of a WebSocket as is used
    const first = frames.next()
    const [socket] = sockets
    const data = `${' '.repeat(2 ** 22)}{"control":"heartbeat"}`
    for (let chars = 0; chars < 2 ** 26; chars += data.length) socket?.onmessage({ data })
    expect(socket?.close).not.toHaveBeenCalled()
    socket?.onmessage({ data })
    expect(socket?.close).toHaveBeenCalledOnce()
    await first
    const rest = async () => {
      while (!(await frames.next()).done);
    }
    await expect(rest()).rejects.toMatchObject({ reason: 'protocol' })
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
