import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Arrival, createProxy, type FaultyProxy } from '../../demo/proxy.ts'

/** A server that streams what `say` is given, to every stream and socket that is open. */
async function createTarget() {
  const streams = new Set<http.ServerResponse>()
  const sockets = new WebSocketServer({ noServer: true })
  const server = http.createServer((req, res) => {
    if (req.url === '/jobs/hang') return
    if (req.url !== '/jobs/stream') return res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ url: req.url }))
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    streams.add(res)
    res.once('close', () => streams.delete(res))
  })
  server.on('upgrade', (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (ws) => ws.send('hello'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // as: it listens on a port
    get open() {
      return streams.size + sockets.clients.size
    },
    say(text: string) {
      for (const stream of streams) stream.write(`data: ${text}\n\n`)
      for (const ws of sockets.clients) ws.send(text)
    },
    end() {
      for (const stream of streams) stream.end()
    },
    async close() {
      for (const ws of sockets.clients) ws.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

let target: Awaited<ReturnType<typeof createTarget>>
let proxy: FaultyProxy
let arrivals: Arrival[]

beforeEach(async () => {
  target = await createTarget()
  arrivals = []
  proxy = await createProxy({ target: target.url, elsewhere: (_, res) => res.end('page'), onArrival: (arrival) => arrivals.push(arrival) })
})
afterEach(async () => {
  await proxy.close()
  await target.close()
})

/** Opens a socket and records what happens to it. */
function openSocket(path = '/jobs/events') {
  const happened: string[] = []
  const ws = new WebSocket(`${proxy.url.replace('http', 'ws')}${path}`)
  ws.on('open', () => happened.push('open'))
  ws.on('message', (data) => happened.push(String(data)))
  ws.on('unexpected-response', (_, { statusCode }) => happened.push(`status ${statusCode}`))
  ws.on('error', () => {})
  ws.on('close', () => happened.push('close'))
  return { ws, happened, sees: (...expected: string[]) => vi.waitFor(() => expect(happened).toEqual(expected), 4000) }
}

/** Opens the stream and records its text. */
async function openStream() {
  const stream = { status: 0, text: '', ending: '' }
  const response = await fetch(`${proxy.url}/jobs/stream`)
  stream.status = response.status
  const decoder = new TextDecoder()
  void (async () => {
    try {
      for await (const chunk of response.body ?? []) stream.text += decoder.decode(chunk, { stream: true })
      stream.ending = 'end'
    } catch {
      stream.ending = 'cut'
    }
  })()
  return stream
}

const soon = (check: () => void) => vi.waitFor(check, 4000)

describe('without faults', () => {
  test('passes requests, streams and sockets on, both ways', async () => {
    expect(await (await fetch(`${proxy.url}/jobs/1?after=x`)).json()).toEqual({ url: '/jobs/1?after=x' })
    const stream = await openStream()
    const socket = openSocket()
    await socket.sees('open', 'hello')
    expect(proxy.connections).toEqual({ websocket: 1, stream: 1, request: 0 })
    target.say('1')
    await socket.sees('open', 'hello', '1')
    await soon(() => expect(stream.text).toBe('data: 1\n\n'))
    socket.ws.close()
    target.end()
    await soon(() => expect(stream.ending).toBe('end'))
    await soon(() => expect([proxy.connections, target.open]).toEqual([{ websocket: 0, stream: 0, request: 0 }, 0]))
    expect(arrivals.map(({ url, isUpgrade }) => [url, isUpgrade])).toEqual([
      ['/jobs/1?after=x', false],
      ['/jobs/stream', false],
      ['/jobs/events', true]
    ])
  })

  test('a client that leaves is gone at the target too', async () => {
    const gone = new AbortController()
    await fetch(`${proxy.url}/jobs/stream`, { signal: gone.signal })
    await soon(() => expect(target.open).toBe(1))
    gone.abort()
    await soon(() => expect(target.open).toBe(0))
  })

  test('a target that is not there is a 502', async () => {
    await target.close()
    const answer = await fetch(`${proxy.url}/jobs/1`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([502, 'text/html'])
    await openSocket().sees('status 502')
    target = await createTarget()
  })
})

describe('WebSocket faults', () => {
  test('refuse: 403 to new ones, a cut to live ones', async () => {
    const live = openSocket()
    await live.sees('open', 'hello')
    proxy.set({ webSocket: 'refuse' })
    await live.sees('open', 'hello', 'close')
    await openSocket().sees('status 403')
  })

  test('unanswered: live ones are cut, new ones hang until they go', async () => {
    const live = openSocket()
    await live.sees('open', 'hello')
    proxy.set({ webSocket: 'unanswered' })
    await live.sees('open', 'hello', 'close')
    const hanging = openSocket()
    await soon(() => expect(proxy.connections.websocket).toBe(1))
    expect(hanging.happened).toEqual([])
    hanging.ws.terminate()
    await soon(() => expect(proxy.connections.websocket).toBe(0))
  })

  test('mute: live and new ones stay open and deliver nothing, until it is over', async () => {
    const live = openSocket()
    await live.sees('open', 'hello')
    proxy.set({ webSocket: 'mute' })
    const late = openSocket()
    await late.sees('open')
    target.say('1')
    const witness = await openStream()
    target.say('2')
    await soon(() => expect(witness.text).toBe('data: 2\n\n'))
    expect([live.happened, late.happened]).toEqual([['open', 'hello'], ['open']])
    proxy.set({ webSocket: 'pass' })
    await live.sees('open', 'hello', '1', '2')
    await late.sees('open', 'hello', '1', '2')
  })

  test('a mute socket that its client gives up is released', async () => {
    proxy.set({ webSocket: 'mute' })
    const socket = openSocket()
    await socket.sees('open')
    socket.ws.terminate()
    await soon(() => expect([proxy.connections.websocket, target.open]).toEqual([0, 0]))
  })

  test('kill: opens, delivers, and is cut', async () => {
    const live = openSocket()
    await live.sees('open', 'hello')
    proxy.set({ webSocket: 'kill' })
    await live.sees('open', 'hello', 'close')
    await openSocket().sees('open', 'hello', 'close')
    await soon(() => expect(target.open).toBe(0))
  })
})

describe('HTTP faults', () => {
  test('buffered event streams: headers at once, the body at its end', async () => {
    const live = await openStream()
    await soon(() => expect(target.open).toBe(1))
    target.say('1')
    await soon(() => expect(live.text).toBe('data: 1\n\n'))
    proxy.set({ bufferStreams: true })
    const late = await openStream()
    await soon(() => expect(target.open).toBe(2))
    target.say('2')
    const witness = openSocket()
    await witness.sees('open', 'hello')
    expect([live.text, late.status, late.text]).toEqual(['data: 1\n\n', 200, ''])
    target.end()
    await soon(() => expect([late.text, late.ending]).toEqual(['data: 2\n\n', 'end']))
  })

  test('buffered event streams: what is held goes out when the fault ends', async () => {
    proxy.set({ bufferStreams: true })
    const stream = await openStream()
    await soon(() => expect(target.open).toBe(1))
    target.say('1')
    proxy.set({ bufferStreams: false })
    await soon(() => expect(stream.text).toBe('data: 1\n\n'))
  })

  test('a limit: 504 without headers, a cut body with them, sockets pass', async () => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    const stream = await openStream()
    const held = fetch(`${proxy.url}/jobs/hang`)
    await soon(() => expect(proxy.connections).toEqual({ websocket: 1, stream: 1, request: 1 }))
    proxy.set({ requestLimitMs: 100 })
    expect((await held).status).toBe(504)
    await soon(() => expect(stream.ending).toBe('cut'))
    expect((await fetch(`${proxy.url}/jobs/hang`)).status).toBe(504)
    expect((await fetch(`${proxy.url}/jobs/1`)).status).toBe(200)
    target.say('1')
    await socket.sees('open', 'hello', '1')
  })
})

describe('whole connections', () => {
  test('cut: everything open breaks, new ones work, what is elsewhere stays', async () => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    const stream = await openStream()
    proxy.cut()
    await socket.sees('open', 'hello', 'close')
    await soon(() => expect([stream.ending, target.open]).toEqual(['cut', 0]))
    await openSocket().sees('open', 'hello')
    expect(await (await fetch(`${proxy.url}/`)).text()).toBe('page')
  })

  test('away: everything breaks, new ones get 502, until it is back', async () => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    proxy.awayFor(60_000)
    await socket.sees('open', 'hello', 'close')
    expect(proxy.awayMs).toBeGreaterThan(0)
    expect((await fetch(`${proxy.url}/jobs/1`)).status).toBe(502)
    await openSocket().sees('status 502')
    expect((await fetch(`${proxy.url}/`)).status).toBe(200)
    proxy.back()
    expect((await fetch(`${proxy.url}/jobs/1`)).status).toBe(200)
  })

  test('stalled: nothing arrives, heads included, until it is over', async () => {
    proxy.set({ stalled: true })
    const socket = openSocket()
    await soon(() => expect(target.open).toBe(1))
    expect(socket.happened).toEqual([])
    proxy.set({ stalled: false })
    await socket.sees('open', 'hello')
  })

  test.each([{ deadAfterMs: 30 }, { stalled: true }])('%o: goes quiet without a close', async (fault) => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    proxy.set({ ...fault, idleLimitMs: 300 })
    await socket.sees('open', 'hello', 'close')
  })

  test.each([{ cutAfterMs: 30 }, { resetAfterMs: 20 }, { idleLimitMs: 30 }])('%o: cuts', async (fault) => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    proxy.set(fault)
    await socket.sees('open', 'hello', 'close')
  })

  test('latency: later, and all of it', async () => {
    proxy.set({ latencyMs: 120 })
    const before = performance.now()
    expect((await fetch(`${proxy.url}/jobs/1`)).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThan(115)
  })

  test('close leaves nothing open', async () => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    await openStream()
    await proxy.close()
    await socket.sees('open', 'hello', 'close')
    await soon(() => expect(target.open).toBe(0))
    proxy = await createProxy({ target: target.url })
  })
})

test('a slow reader holds its source back', async () => {
  const size = 64 * 1024 * 1024
  let sent = 0
  const source = http.createServer((_, res) => {
    const chunk = Buffer.alloc(256 * 1024)
    const fill = () => {
      while (sent < size) {
        sent += chunk.length
        if (!res.write(chunk)) return res.once('drain', fill)
      }
      return res.end()
    }
    fill()
  })
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve))
  const slow = await createProxy({ target: `http://127.0.0.1:${(source.address() as AddressInfo).port}` }) // as: it listens on a port
  const gone = new AbortController()
  const reader = await new Promise<http.IncomingMessage>((resolve) => http.get(`${slow.url}/jobs/big`, { signal: gone.signal }, resolve))
  reader.on('error', () => {})
  let was = -1
  await vi.waitFor(() => {
    const grew = sent !== was
    was = sent
    expect(grew).toBe(false)
  }, 4000)
  expect(sent).toBeLessThan(size / 2)
  gone.abort()
  await slow.close()
  source.closeAllConnections()
  await new Promise((resolve) => source.close(resolve))
})
