/** Credentials over real sockets: when the token source is called, what an expiry in the middle of a stream does, and where a token never appears. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import vm from 'node:vm'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { explain } from '../../src/explain.ts'
import { createClient, longPoll, shortPoll, sse, webSocket } from '../../src/index.ts'
import type { Permission } from '../../src/server/permission.ts'
import type { Client, ClientOptions, Diagnostic, JobEvent, Transport } from '../../src/types.ts'
import { type Served, serve } from '../server/serve.ts'

const transports: [name: string, make: () => Transport][] = [
  ['websocket', webSocket],
  ['sse', sse],
  ['long-poll', longPoll],
  ['short-poll', shortPoll]
]
const all = (): Transport[] => transports.map(([, make]) => make())

/** A long timeout, since the machine may be busy. */
vi.setConfig({ testTimeout: 30_000 })
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000 })

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)
const seqs = (events: readonly JobEvent[]): number[] => events.map(({ seq }) => seq)

/** Everything written to the console. */
let logged: unknown[][]
beforeEach(() => {
  logged = []
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table'] as const)
    vi.spyOn(console, method).mockImplementation((...args: unknown[]) => void logged.push(args))
})
afterEach(() => vi.restoreAllMocks())

function clientOf(options: ClientOptions): Client {
  const client = createClient({ memory: false, retry: { baseMs: 1, maxMs: 20 }, staggerMs: 50, ...options })
  onTestFinished(() => client.close())
  return client
}

/** A loop over job 42: its events so far, and how it ends. */
function run(client: Client): { events: JobEvent[]; over: Promise<unknown> } {
  const events: JobEvent[] = []
  const loop = async (): Promise<unknown> => {
    for await (const event of client.subscribe('42')) events.push(event)
    return undefined
  }
  return { events, over: loop().catch((error: unknown) => error) }
}

// ---- against the server kit

interface Guarded extends Served {
  /** The token of each call of `authorize`. */
  readonly shown: (string | undefined)[]
}

async function guarded(permit: (token: string | undefined) => Permission): Promise<Guarded> {
  const shown: (string | undefined)[] = []
  const served = await serve({
    shortPollPauseMs: 20,
    heartbeatMs: 1000,
    authorize({ request }) {
      const token = request.headers.get('authorization')?.replace('Bearer ', '')
      shown.push(token)
      return permit(token)
    }
  })
  await served.jobs.publish('42', 'started')
  return Object.assign(served, { shown })
}

/** Gives `token-1`, `token-2`, … */
function source(): { token: () => string; readonly asked: number } {
  let asked = 0
  return {
    token: () => `token-${++asked}`,
    get asked() {
      return asked
    }
  }
}

test('one call of the token source serves all candidates and the first read', async () => {
  const { base, jobs, shown } = await guarded((token) => token === 'token-1')
  const tokens = source()
  const { events, over } = run(clientOf({ url: base, token: tokens.token, transports: all(), staggerMs: 0 }))
  await eventually(() => expect(events).toHaveLength(1))
  await jobs.publish('42', 'succeeded')
  expect(await over).toBeUndefined()
  expect(shown.length).toBeGreaterThan(1)
  expect(new Set(shown)).toEqual(new Set(['token-1']))
  expect(tokens.asked).toBe(1)
})

test('sources of another realm, as of an iframe, are called; a token of null is none', async () => {
  const { base, shown } = await guarded((token) => token !== 'null')
  const foreign = vm.runInNewContext(`({ token: () => 'token-1', headers: () => ({ 'x-user': 'ann' }) })`)
  const given = vi.spyOn(foreign, 'headers')
  for (const options of [{ token: foreign.token, headers: foreign.headers }, { token: () => null }]) {
    const { events } = run(clientOf({ url: base, transports: all(), ...options }))
    await eventually(() => expect(events).toHaveLength(1))
  }
  expect(given).toHaveBeenCalled()
  expect(new Set(shown)).toEqual(new Set(['token-1', undefined]))
})

describe.each(transports)('over %s', (_, make) => {
  test('a 401 calls the token source once more, and the new token is used', async () => {
    const { base, jobs } = await guarded((token) => (token === 'token-2' ? true : { status: 401 }))
    const tokens = source()
    const { events, over } = run(clientOf({ url: base, token: tokens.token, transports: [make()], firstLook: false }))
    await eventually(() => expect(events).toHaveLength(1))
    await jobs.publish('42', 'succeeded')
    expect(await over).toBeUndefined()
    expect(seqs(events)).toEqual([1, 2])
    expect(tokens.asked).toBe(2)
  })

  test('a second 401 is final', async () => {
    const { base, shown } = await guarded(() => ({ status: 401 }))
    const tokens = source()
    const { over } = run(clientOf({ url: base, token: tokens.token, transports: [make()], firstLook: false }))
    expect(await over).toMatchObject({ name: 'JobtailError', code: 'unauthorized', status: 401 })
    expect(shown).toEqual(['token-1', 'token-2'])
  })

  test('403 is final at once', async () => {
    const { base, shown } = await guarded(() => ({ status: 403 }))
    const tokens = source()
    const { over } = run(clientOf({ url: base, token: tokens.token, transports: [make()], firstLook: false }))
    expect(await over).toMatchObject({ name: 'JobtailError', code: 'forbidden', status: 403 })
    expect(shown).toEqual(['token-1'])
  })

  test('tokens that expire in the middle of a stream, again and again: nothing is lost or repeated', async () => {
    const expiries = new Map<string, number>()
    const { base, jobs, shown } = await guarded((token = '') => {
      const expiresAt = expiries.get(token) ?? Date.now() + 150
      expiries.set(token, expiresAt)
      return expiresAt > Date.now() ? { allow: true, expiresAt } : { status: 401 }
    })
    const tokens = source()
    const { events, over } = run(clientOf({ url: base, token: tokens.token, transports: [make()], firstLook: false }))
    for (let seq = 2; tokens.asked < 5; seq += 1) {
      await jobs.publish('42', 'progress', { current: seq })
      await eventually(() => expect(events).toHaveLength(seq))
    }
    const { seq: last } = await jobs.publish('42', 'succeeded')
    expect(await over).toBeUndefined()
    expect(seqs(events)).toEqual(upTo(last))
    expect(new Set(shown).size).toBeGreaterThanOrEqual(4)
  })
})

test('start, cancel and the snapshot ask once more after a 401, then fail', async () => {
  const { base } = await guarded((token) => (token === 'token-2' ? true : { status: 401 }))
  const tokens = source()
  await clientOf({ url: base, token: tokens.token, transports: all() }).subscribe('42').cancel()
  expect(tokens.asked).toBe(2)
  const never = await guarded(() => ({ status: 401 }))
  const more = source()
  await expect(clientOf({ url: never.base, token: more.token, transports: all() }).start({})).rejects.toMatchObject({ code: 'unauthorized' })
  expect(more.asked).toBe(2)
})

// ---- where a token never appears

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQtc3ViamVjdCJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
/** The token as it is sent in a subprotocol. */
const ENCODED = Buffer.from(TOKEN).toString('base64url')
/** A text of this many characters out of a token counts as a part of it. */
const PART = 10

/** The part of a token that the text contains. */
function partOf(text: string): string | undefined {
  for (const secret of [TOKEN, ENCODED])
    for (let at = 0; at + PART <= secret.length; at += 1) if (text.includes(secret.slice(at, at + PART))) return secret.slice(at, at + PART)
  return undefined
}

/** Everything of a client that a program can inspect, as text. */
const shownOf = (...values: unknown[]): string =>
  values
    .flatMap((value) => [value instanceof Error ? explainOf(value) : value, value])
    .map((value) => inspect(value, { depth: 12, showHidden: true, maxStringLength: Number.POSITIVE_INFINITY }))
    .join('\n')

const explainOf = (error: Error): string => explain(error as Parameters<typeof explain>[0]) // as: its message is what is read

type Answer = (req: http.IncomingMessage, res: http.ServerResponse, echo: string) => void
type Greeting = (ws: WebSocket, echo: string) => void

interface Evil {
  answer: Answer
  /** Without one, the handshake is refused with `answer`. */
  greet?: Greeting
}

/** A server that repeats in every answer the credentials that it was sent. */
async function echoing({ answer, greet }: Evil): Promise<{ base: string; urls: string[] }> {
  const urls: string[] = []
  const server = http.createServer((req, res) => {
    urls.push(req.url ?? '')
    req.resume()
    answer(req, res, `${req.headers.authorization}`)
  })
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'jobtail.v1' })
  server.on('upgrade', (req, socket, head) => {
    urls.push(req.url ?? '')
    const encoded = `${req.headers['sec-websocket-protocol']}`.split(',').find((each) => each.includes('bearer.')) ?? ''
    const echo = `${encoded} Bearer ${Buffer.from(encoded.trim().slice('bearer.'.length), 'base64url')}`
    if (greet) return sockets.handleUpgrade(req, socket, head, (ws) => greet(ws, echo))
    socket.end(`HTTP/1.1 403 ${TOKEN}\r\nConnection: close\r\nContent-Length: ${echo.length}\r\n\r\n${echo}`)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    for (const ws of sockets.clients) ws.terminate()
    server.closeAllConnections()
    server.close()
  })
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jobs`, urls } // as: it listens on TCP
}

const HELLO = '{"control":"hello","protocol":1,"heartbeatMs":1000}'

const saysProblem = (status: number): Evil => {
  const problem = (echo: string) => ({ title: echo, status, code: `no ${echo}`, detail: `you sent ${echo}` })
  return {
    answer: (_, res, echo) => res.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem(echo))),
    greet(ws, echo) {
      ws.send(HELLO)
      ws.send(JSON.stringify({ control: 'error', status, code: echo, message: `you sent ${echo}` }))
    }
  }
}

const saysPage = (status: number, type = (_echo: string) => 'text/html'): Evil => ({
  answer: (_, res, echo) => res.writeHead(status, { 'content-type': type(echo) }).end(`<h1>${echo}</h1>`)
})

const saysText = (text: (echo: string) => string): Evil => ({
  answer(req, res, echo) {
    const isStream = req.headers.accept === 'text/event-stream'
    res.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' }).end(isStream ? `data: ${text(echo)}\n\n` : text(echo))
  },
  greet: (ws, echo) => ws.send(text(echo))
})

const evils: [name: string, evil: Evil][] = [
  ...[400, 401, 403, 404, 410, 429, 500, 503].map((status): [string, Evil] => [`a problem ${status}`, saysProblem(status)]),
  ...[400, 401, 403, 404, 502].map((status): [string, Evil] => [`a page ${status}`, saysPage(status)]),
  ['a page with 200', saysPage(200)],
  ['a content type', saysPage(200, (echo) => `text/plain; echo="${echo}"`)],
  ['text that is not JSON', saysText((echo) => `you sent ${echo}`)],
  ['truncated JSON', saysText((echo) => `{"control":"hello","x":"${echo}`)],
  ['JSON of another type', saysText((echo) => JSON.stringify({ authorization: echo, protocol: echo }))],
  ['an invalid control frame', saysText((echo) => JSON.stringify({ control: 'hello', protocol: echo, heartbeatMs: echo }))],
  ['an invalid event', saysText((echo) => JSON.stringify({ id: echo, seq: echo }))],
  [
    'a redirect',
    {
      answer: (req, res, echo) =>
        req.url?.startsWith('/login')
          ? res.writeHead(200, { 'content-type': 'text/html' }).end(echo)
          : res.writeHead(302, { location: `/login?was=${encodeURIComponent(echo)}` }).end()
    }
  ],
  ['the reason of a close', { answer: saysPage(502).answer, greet: (ws, echo) => ws.close(4403, echo.slice(-100)) }],
  ['the reason of an abnormal close', { answer: saysPage(502).answer, greet: (ws, echo) => ws.close(1011, echo.slice(-100)) }]
]

/** Does everything that a client can do against the server, and resolves with everything that became visible. */
async function seenOf(options: ClientOptions): Promise<string> {
  const diagnostics: Diagnostic[] = []
  const client = clientOf({
    retry: { baseMs: 1, maxMs: 1, attempts: 2 },
    unknownJobGraceMs: 0,
    probeTimeoutMs: 500,
    onDiagnostic(each) {
      diagnostics.push(each)
      // Without a limit, the client would wait for a busy server for ever.
      if (diagnostics.filter(({ type }) => type === 'waiting').length > 20) client.close()
    },
    ...options
  })
  const job = client.subscribe('42')
  const loop = async (): Promise<void> => {
    for await (const _ of job);
  }
  const followed = client.subscribe('43')
  followed.onChange(() => {})
  const caught = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined).catch((error: unknown) => error)
  const errors = await Promise.all([caught(loop()), caught(job.result), caught(client.subscribe('44').result), caught(client.start({})), caught(job.cancel())])
  expect(errors[1]).toBeInstanceOf(Error)
  client.close()
  return shownOf(...errors, job.state, followed.state, diagnostics, diagnostics.map(explain), logged)
}

describe('credentials that a server echoes are not passed on', () => {
  describe.each(transports)('over %s', (_, make) => {
    test.each(evils)('%s', async (_, evil) => {
      const { base, urls } = await echoing(evil)
      const seen = await seenOf({ url: base, token: () => TOKEN, transports: [make()] })
      expect(urls.length).toBeGreaterThan(0)
      const mine = urls.filter((url) => !url.startsWith('/login'))
      expect([partOf(mine.join('\n')), partOf(seen) && seen.slice(Math.max(0, seen.search(partOf(seen) ?? '') - 300)).slice(0, 600)]).toEqual([
        undefined,
        undefined
      ])
    })
  })

  test.each(evils)('credentials from the header source: %s', async (_, evil) => {
    const { base, urls } = await echoing(evil)
    const seen = await seenOf({ url: base, headers: () => ({ authorization: `Bearer ${TOKEN}` }), transports: all().slice(1) })
    expect([partOf(urls.filter((url) => !url.startsWith('/login')).join('\n')), partOf(seen)]).toEqual([undefined, undefined])
  })
})

test('a header that holds no credentials may appear', async () => {
  const { base } = await echoing(saysPage(404))
  const seen = await seenOf({ url: base, headers: { 'x-format': 'application/json' }, transports: [longPoll()] })
  expect(seen).toContain('404, text/html, not application/json')
})

describe('an invalid result of a token or header source is not quoted', () => {
  const bad: [name: string, options: ClientOptions][] = [
    ['a token with a line break', { token: `${TOKEN}\r\nx: y` }],
    ['a token with a character that no header can have', { token: () => `${TOKEN} €` }],
    ['a token that is an object', { token: () => ({ toString: () => TOKEN, token: TOKEN }) as unknown as string }], // as: JavaScript may
    [
      'a token source that throws',
      {
        token() {
          throw new Error(`no new token for ${TOKEN}`)
        }
      }
    ],
    ['a token source that rejects', { token: () => Promise.reject(new TypeError(`401 for ${TOKEN}`, { cause: TOKEN })) }],
    ['a token source that rejects with the token', { token: () => Promise.reject(TOKEN) }],
    [
      'a header source that throws',
      {
        headers() {
          throw new Error(`no header for ${TOKEN}`)
        }
      }
    ],
    ['a header with a line break', { headers: { authorization: `Bearer ${TOKEN}\nx` } }],
    ['a header with a character that no header can have', { headers: { 'x-key': `${TOKEN}€` } }],
    ['an invalid header name', { headers: { [`Bearer ${TOKEN}`]: 'x' } }]
  ]
  test.each(bad)('%s', async (_, options) => {
    const { base } = await echoing(saysProblem(401))
    const seen = await seenOf({ url: base, transports: all(), ...options })
    expect(partOf(seen) && seen.slice(Math.max(0, seen.search(partOf(seen) ?? '') - 300)).slice(0, 600)).toBe(undefined)
  })
})
