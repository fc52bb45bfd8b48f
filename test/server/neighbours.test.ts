/** Other WebSocket servers on the same port, attached before and after the job server. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as SocketIo } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServer } from '../../src/server/types.ts'
import { openSocket } from './clients.ts'
import { openRaw, UPGRADE } from './defence/raw.ts'

const PATIENCE = { timeout: 15_000 }

interface Neighbour {
  /** Attaches the WebSocket server to the Node server. */
  join(server: http.Server): void
  /** Sends two messages, and expects each back. */
  use(origin: string): Promise<void>
}

const echo = (server: WebSocketServer): void => void server.on('connection', (ws) => ws.on('message', (data) => ws.send(String(data))))

async function useWs(origin: string): Promise<void> {
  const ws = new WebSocket(`${origin.replace('http', 'ws')}/chat`)
  onTestFinished(() => ws.terminate())
  await once(ws, 'open')
  for (const text of ['a', 'b']) {
    ws.send(text)
    const [data] = await once(ws, 'message')
    expect(String(data)).toBe(text)
  }
}

const neighbours: Record<string, Neighbour> = {
  'socket.io': {
    join(server) {
      const sockets = new SocketIo(server, { transports: ['websocket'] })
      sockets.on('connection', (socket) => socket.on('say', (text, answer) => answer(text)))
      onTestFinished(() => void sockets.close())
    },
    async use(origin) {
      const socket = io(origin, { transports: ['websocket'], forceNew: true, reconnection: false })
      onTestFinished(() => void socket.close())
      for (const text of ['a', 'b']) expect(await socket.timeout(10_000).emitWithAck('say', text)).toBe(text)
    }
  },
  'ws, of a path': {
    join: (server) => echo(new WebSocketServer({ server, path: '/chat' })),
    use: useWs
  },
  'ws, by hand': {
    join(server) {
      const sockets = new WebSocketServer({ noServer: true })
      echo(sockets)
      server.on('upgrade', (req, socket, head) => {
        if (req.url === '/chat') sockets.handleUpgrade(req, socket, head, (ws) => sockets.emit('connection', ws, req))
      })
    },
    use: useWs
  }
}

const ways: Record<string, (jobs: JobServer, server: http.Server) => void> = {
  attach: (jobs, server) => jobs.attach(server),
  upgrade: (jobs, server) => void server.on('request', (req, res) => jobs.handle(req, res, () => {})).on('upgrade', jobs.upgrade)
}

async function stage(): Promise<{ jobs: JobServer; server: http.Server; listen(): Promise<string> }> {
  const jobs = createJobServer({ onError: () => {} })
  const server = http.createServer()
  onTestFinished(async () => {
    await jobs.close({ graceMs: 100 })
    server.closeAllConnections()
    server.close()
  })
  await jobs.publish('42', 'queued')
  return {
    jobs,
    server,
    async listen() {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on TCP
    }
  }
}

async function useJobs(jobs: JobServer, origin: string): Promise<void> {
  const socket = openSocket(`${origin}/jobs/42/events`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1), PATIENCE)
  await jobs.publish('42', 'progress', { ratio: 0.5 })
  await vi.waitFor(() => expect(socket.events()).toHaveLength(2), PATIENCE)
  socket.ws.close()
  expect(await socket.closed).toBe(1005)
}

describe.each(Object.entries(neighbours))('beside %s', (name, neighbour) => {
  test.each(Object.entries(ways).flatMap(([way, mount]) => (['before', 'after'] as const).map((order) => [way, order, mount] as const)))(
    '%s, %s it: each gets its own handshakes',
    async (way, order, mount) => {
      const { jobs, server, listen } = await stage()
      if (order === 'before') mount(jobs, server)
      neighbour.join(server)
      if (order === 'after') mount(jobs, server)
      const origin = await listen()
      await neighbour.use(origin)
      // `ws` with a path refuses every other handshake. Only `attach` can keep handshakes from it.
      if (way === 'attach' || name !== 'ws, of a path') await useJobs(jobs, origin)
      await neighbour.use(origin)
    }
  )
})

describe('two job servers and a third WebSocket server', () => {
  test.each([
    ['ws', 'a', 'b'],
    ['a', 'ws', 'b'],
    ['a', 'b', 'ws']
  ])('in the order %s, %s, %s', async (...order) => {
    const { server, listen } = await stage()
    const servers = Object.fromEntries(['a', 'b'].map((name) => [name, createJobServer({ basePath: `/${name}` })]))
    onTestFinished(async () => void (await Promise.all(Object.values(servers).map((each) => each.close({ graceMs: 100 })))))
    for (const each of order) each === 'ws' ? neighbours['ws, of a path']?.join(server) : servers[each]?.attach(server)
    const origin = await listen()
    for (const [name, jobs] of Object.entries(servers)) {
      await jobs.publish('42', 'queued')
      const socket = openSocket(`${origin}/${name}/42/events`)
      await vi.waitFor(() => expect(socket.events()).toHaveLength(1), PATIENCE)
    }
    await useWs(origin)
  })
})

test('a listener that was added later can be removed, is called once with `once`, and is listed', async () => {
  const { jobs, server, listen } = await stage()
  jobs.attach(server)
  const seen: string[] = []
  const always = (req: http.IncomingMessage, socket: { destroy(): void }) => {
    seen.push(`always ${req.url}`)
    socket.destroy()
  }
  server.on('upgrade', always)
  server.once('upgrade', (req: http.IncomingMessage) => void seen.push(`once ${req.url}`))
  const origin = await listen()
  expect(server.listeners('upgrade')).toContain(always)
  await useJobs(jobs, origin)
  for (let n = 0; n < 2; n += 1) await expect(openSocket(`${origin}/other`).closed).rejects.toThrow()
  server.off('upgrade', always)
  expect(server.listenerCount('upgrade')).toBe(1)
  await expect(openSocket(`${origin}/other`).closed).rejects.toThrow(/404/)
  expect(seen).toEqual(['always /other', 'once /other', 'always /other'])
})

describe('upgrade, called by hand', () => {
  test('alone, answers a foreign path with 404, since nobody else would', async () => {
    const { jobs, server, listen } = await stage()
    server.on('upgrade', jobs.upgrade)
    await expect(openSocket(`${await listen()}/other`).closed).rejects.toThrow(/404/)
  })

  test('calls next for foreign paths only', async () => {
    const { jobs, server, listen } = await stage()
    const next = vi.fn()
    server.on('upgrade', (req, socket, head) =>
      jobs.upgrade(req, socket, head, () => {
        next(req.url)
        socket.destroy()
      })
    )
    const origin = await listen()
    await expect(openSocket(`${origin}/other`).closed).rejects.toThrow()
    expect(await openSocket(`${origin}/jobs/none/events`).closed).toBe(4404)
    await expect(openSocket(`${origin}/jobs/none`).closed).rejects.toThrow(/404/)
    expect(next.mock.calls).toEqual([['/other']])
  })

  test('writes no byte to a socket that it leaves to others', async () => {
    const { jobs, server, listen } = await stage()
    server.on('upgrade', jobs.upgrade)
    server.on('upgrade', (_, socket) => void setImmediate(() => socket.end('mine')))
    const raw = await openRaw(Number(new URL(await listen()).port), `GET /other HTTP/1.1\r\nHost: x\r\n${UPGRADE}`)
    await raw.closed
    expect(raw.text()).toBe('mine')
  })
})
