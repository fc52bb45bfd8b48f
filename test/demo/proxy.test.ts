import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { noFaults, type Path, paths } from '../../demo/proxy/faults.ts'
import { type ExchangeKind, ending, flow } from '../../demo/proxy/policy.ts'
import { type Arrival, createProxy, type FaultyProxy } from '../../demo/proxy.ts'

/** A server that sends what `say` is given to every open stream and socket. */
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

describe('what HTTP requests open', () => {
  const requestStatus = async (path: string): Promise<number | 'broken'> => {
    try {
      const answer = await fetch(`${proxy.url}${path}`, { signal: AbortSignal.timeout(20_000) })
      await answer.text()
      return answer.status
    } catch {
      return 'broken'
    }
  }

  test.each([
    ['refuse', 403],
    ['reset', 'broken'],
    ['kill', 'broken']
  ] as const)('%s: live streams are cut, new requests see it', async (http, seen) => {
    const live = await openStream()
    proxy.set({ http })
    await soon(() => expect(live.ending).toBe('cut'))
    expect(await requestStatus('/jobs/1')).toBe(seen)
    proxy.set({ http: 'pass' })
    expect(await requestStatus('/jobs/1')).toBe(200)
  })

  test('reset: a socket too', async () => {
    const live = openSocket()
    await live.sees('open', 'hello')
    proxy.set({ webSocket: 'reset' })
    await live.sees('open', 'hello', 'close')
    await openSocket().sees('close')
  })

  test('unanswered: live streams are cut, new requests hang, also when it is over', async () => {
    const live = await openStream()
    proxy.set({ http: 'unanswered' })
    await soon(() => expect(live.ending).toBe('cut'))
    const gone = new AbortController()
    const hanging = fetch(`${proxy.url}/jobs/1`, { signal: gone.signal }).then(
      () => 'answered',
      () => 'given up'
    )
    await soon(() => expect(proxy.connections.request).toBe(1))
    proxy.set({ http: 'pass' })
    expect(await requestStatus('/jobs/1')).toBe(200)
    expect(proxy.connections.request).toBe(1)
    gone.abort()
    expect(await hanging).toBe('given up')
    await soon(() => expect(proxy.connections.request).toBe(0))
  })

  test('mute: the head comes, and the rest when it is over', async () => {
    proxy.set({ http: 'mute' })
    const answer = await fetch(`${proxy.url}/jobs/1`)
    expect(answer.status).toBe(200)
    const stream = await openStream()
    await soon(() => expect(target.open).toBe(1))
    target.say('1')
    const witness = openSocket()
    await witness.sees('open', 'hello')
    expect(stream.text).toBe('')
    proxy.set({ http: 'pass' })
    expect(await answer.json()).toEqual({ url: '/jobs/1' })
    await soon(() => expect(stream.text).toBe('data: 1\n\n'))
  })

  test('unanswered with a limit: 504 to handshakes and requests', async () => {
    proxy.set({ webSocket: 'unanswered', http: 'unanswered', requestLimitMs: 50 })
    await openSocket().sees('status 504')
    expect(await requestStatus('/jobs/1')).toBe(504)
  })
})

describe('up to a way of reading', () => {
  const asked: Record<Exclude<Path, 'websocket'>, RequestInit & { path: string }> = {
    sse: { path: '/jobs/1', headers: { accept: 'text/event-stream' } },
    'long-poll': { path: '/jobs/1?wait=20' },
    'short-poll': { path: '/jobs/1' }
  }

  test.each(paths)('%s', async (upTo) => {
    proxy.set({ upTo, webSocket: 'refuse', http: 'refuse' })
    await openSocket().sees('status 403')
    for (const [name, { path, ...init }] of Object.entries(asked)) {
      const isHit = paths.indexOf(name as Path) <= paths.indexOf(upTo) // as: the keys of `asked`
      expect([name, (await fetch(proxy.url + path, init)).status]).toEqual([name, isHit ? 403 : 200])
    }
    const preferring = await fetch(`${proxy.url}/jobs/1`, { headers: { prefer: 'wait=20' } })
    expect(preferring.status).toBe(paths.indexOf(upTo) >= paths.indexOf('long-poll') ? 403 : 200)
  })

  test('what is worse passes, live as well', async () => {
    const stream = await openStream()
    const socket = openSocket()
    await socket.sees('open', 'hello')
    proxy.set({ upTo: 'websocket', stalled: true })
    target.say('1')
    await soon(() => expect(stream.text).toBe('data: 1\n\n'))
    expect(socket.happened).toEqual(['open', 'hello'])
    proxy.set({ stalled: false })
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

  test('a request is as old as its connection, a stream and a socket as themselves', () => {
    const past = { bornAt: 0, startedAt: 4000, begunAt: 4010, lastByteAt: 4010, resetAt: Number.POSITIVE_INFINITY }
    const old = { ...noFaults, cutAfterMs: 3000, deadAfterMs: 3000 }
    const cutAt = (kind: ExchangeKind): number => ending({ ...past, kind }, old).at
    expect([cutAt('request'), cutAt('stream'), cutAt('websocket')]).toEqual([3000, 7010, 7010])
    const mode = (kind: ExchangeKind): string => flow({ ...past, kind }, old, 4010).mode
    expect([mode('request'), mode('stream'), mode('websocket')]).toEqual(['shut', 'open', 'open'])
  })

  test('a request that is held is cut with its connection', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const request = (): Promise<http.IncomingMessage> =>
      new Promise((resolve, reject) => http.get(`${proxy.url}/jobs/hang`, { agent }, resolve).on('error', reject))
    proxy.set({ cutAfterMs: 50 })
    await expect(request()).rejects.toThrow('hang up')
    agent.destroy()
  })

  test('not listening: everything breaks, nothing connects, until it listens again', async () => {
    const socket = openSocket()
    await socket.sees('open', 'hello')
    proxy.unlisten()
    await socket.sees('open', 'hello', 'close')
    await expect(fetch(`${proxy.url}/`)).rejects.toThrow()
    await proxy.listen()
    expect((await fetch(`${proxy.url}/jobs/1`)).status).toBe(200)
    await openSocket().sees('open', 'hello')
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
