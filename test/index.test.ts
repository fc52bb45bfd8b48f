/** The public interface: what is exported, that importing it touches no global, and which calls share a client. */

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as core from '../src/core.ts'
import * as jobtail from '../src/index.ts'
import { type ScriptedServer, startScriptedServer } from './transports/scripted-server.ts'

/** The machine may be busy: a generous timeout. */
vi.setConfig({ testTimeout: 30_000 })
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000 })

test('exports', () => {
  expect(Object.keys(jobtail).sort()).toEqual([
    'JobFailedError',
    'JobtailError',
    'TransportError',
    'createClient',
    'fetchReading',
    'indexedDbMemory',
    'initialState',
    'isJobtailError',
    'longPoll',
    'observe',
    'reduceJob',
    'sharedClient',
    'shortPoll',
    'sse',
    'start',
    'subscribe',
    'webSocket'
  ])
  expect(Object.keys(core).sort()).toEqual([
    'JobFailedError',
    'JobtailError',
    'TransportError',
    'createClient',
    'fetchReading',
    'initialState',
    'isJobtailError',
    'ndjson',
    'observe',
    'reduceJob'
  ])
})

test('an error of another copy of the library is told by its name', () => {
  const other = Object.assign(new Error('x'), { name: 'JobtailError', code: 'gap' })
  expect([other, new jobtail.JobtailError('gap', 'x'), new Error('x'), { name: 'JobtailError' }].map(jobtail.isJobtailError)).toEqual([
    true,
    true,
    false,
    false
  ])
})

test('importing and making a client touch no global, subscribing only asks where the page is: a server can do it, without one', () => {
  const script = `
    const touched = []
    for (const name of ['fetch', 'WebSocket', 'indexedDB', 'location', 'document', 'window', 'localStorage', 'navigator', 'BroadcastChannel', 'setTimeout', 'setInterval'])
      Object.defineProperty(globalThis, name, { configurable: true, get() { touched.push(name) } })
    const { subscribe, createClient } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
    const client = createClient({ url: '/somewhere' })
    client.subscribe('42').close()
    client.close()
    process.stdout.write(JSON.stringify(touched.splice(0)))
    subscribe('42').state
    subscribe('42', { after: 'tail', token: 'x' })[Symbol.asyncIterator]()
    process.stdout.write(JSON.stringify([...new Set(touched)]))`
  const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
  expect(execFileSync(node, ['--input-type=module', '--eval', script], { encoding: 'utf8' })).toBe('[]["document","location"]')
})

describe('subscribe', () => {
  let server: ScriptedServer
  beforeEach(async () => {
    server = await startScriptedServer()
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    return server.kill()
  })

  const jobs = ['1', '2', '3']
  const readings = (): number => server.received.filter(({ kind }) => kind === 'websocket').length

  test('shares one client, and one connection, by url', async () => {
    for (const job of jobs) server.append(job)
    const controller = new AbortController()
    const { signal } = controller
    // The URL is the same as a string and as a `URL`, and the subscription's own options do not count.
    const subscriptions = [
      jobtail.subscribe('1', { url: server.base.href, signal }),
      jobtail.subscribe('2', { url: server.base, after: 'tail', signal }),
      jobtail.subscribe('3', { url: server.base.href, token: undefined, onGap: 'throw', signal })
    ]
    for (const subscription of subscriptions) subscription.onChange(() => {})
    await eventually(() => expect(subscriptions.map(({ state }) => state.connection.phase)).toEqual(['live', 'live', 'live']))
    expect(readings()).toBe(1)
    controller.abort()
    for (const subscription of subscriptions) subscription.close()
    await eventually(() => expect(server.open).toBe(0))
  })

  test('without a url is at /jobs of the page, as with it', async () => {
    for (const job of jobs) server.append(job)
    vi.stubGlobal('location', new URL('/page', server.base))
    const subscriptions = [jobtail.subscribe('1'), jobtail.subscribe('2', { url: '/jobs' })]
    for (const subscription of subscriptions) subscription.onChange(() => {})
    await eventually(() => expect(subscriptions.map(({ state }) => state.connection.phase)).toEqual(['live', 'live']))
    expect(readings()).toBe(1)
    for (const subscription of subscriptions) subscription.close()
    await eventually(() => expect(server.open).toBe(0))
  })

  /** How many connections are opened to follow three jobs, each with its own options. */
  async function connections(options: (index: number) => object): Promise<number> {
    for (const job of jobs) server.append(job)
    const before = readings()
    const subscriptions = jobs.map((job, index) => jobtail.subscribe(job, { url: server.base.href, ...options(index) }))
    for (const subscription of subscriptions) subscription.onChange(() => {})
    await eventually(() => expect(subscriptions.map(({ state }) => state.connection.phase)).toEqual(['live', 'live', 'live']))
    for (const subscription of subscriptions) subscription.close()
    await eventually(() => expect(server.open).toBe(0))
    return readings() - before
  }

  const changed: Record<string, string> = {}
  const own = { token: () => 'abc', transports: [jobtail.webSocket()], memory: { read: async () => undefined, write: async () => {} } }

  test.each<[string, (index: number) => object]>([
    ['a token', () => ({ token: 'abc' })],
    ['a token function', () => ({ token: own.token })],
    ['headers', () => ({ headers: { 'x-tenant': 'a' } })],
    ['headers, however they are written', (index) => ({ headers: [{ 'x-tenant': 'a' }, [['X-Tenant', 'a']], new Headers({ 'x-tenant': 'a' })][index] })],
    ['retry, of the same values', () => ({ retry: { attempts: 30, baseMs: 10 } })],
    ['the same transports in a list of its own', () => ({ transports: [...own.transports] })],
    ['the IndexedDB memory', () => ({ memory: jobtail.indexedDbMemory() })],
    ['everything at once, and options of the subscription', (index) => ({ ...own, staggerMs: 100, ...(index === 1 && { after: 'tail', onGap: 'throw' }) })]
  ])('shares it with equal options too: %s', async (_, options) => {
    expect(await connections(options)).toBe(1)
  })

  test.each<[string, (index: number) => object]>([
    ['tokens', (index) => ({ token: `token-${index}` })],
    ['closures, whatever they read like', (index) => ({ token: () => `token-${index}` })],
    ['headers', (index) => ({ headers: { 'x-tenant': `${index}` } })],
    ['numbers', (index) => ({ staggerMs: 100 + index })],
    [
      'values of one object that is changed',
      (index) => {
        changed['x-tenant'] = `${index}`
        return { headers: changed }
      }
    ],
    ['queries', (index) => ({ url: `${server.base.href}?tenant=${index}` })],
    [
      'objects that are more than their fields',
      () => ({
        memory: new (class extends Map {
          read = (): undefined => undefined
          write = (): void => {}
        })()
      })
    ],
    ['a member more', (index) => ({ retry: index ? { attempts: 7, [['baseMs', 'maxMs'][index - 1] as string]: 100 } : { attempts: 7 } })] // as: of two
  ])('never shares it across different %s', async (_, options) => {
    expect(await connections(options)).toBe(3)
  })

  test('at /jobs is at the absolute URL of it', async () => {
    for (const job of jobs) server.append(job)
    vi.stubGlobal('location', new URL('/page', server.base))
    const subscriptions = [jobtail.subscribe('1', { token: 'one' }), jobtail.subscribe('2', { url: new URL('/jobs', server.base).href, token: 'one' })]
    for (const subscription of subscriptions) subscription.onChange(() => {})
    await eventually(() => expect(subscriptions.map(({ state }) => state.connection.phase)).toEqual(['live', 'live']))
    expect(readings()).toBe(1)
    for (const subscription of subscriptions) subscription.close()
    await eventually(() => expect(server.open).toBe(0))
  })

  test('lets go of a client that sixteen others came after', async () => {
    for (const job of jobs) server.append(job)
    const first = jobtail.subscribe('1', { url: server.base.href, token: 'first' })
    first.onChange(() => {})
    await eventually(() => expect(first.state.connection.phase).toBe('live'))
    for (let index = 0; index < 16; index += 1) jobtail.subscribe('1', { url: server.base.href, token: `token-${index}` })
    const second = jobtail.subscribe('2', { url: server.base.href, token: 'first' })
    second.onChange(() => {})
    await eventually(() => expect([first, second].map(({ state }) => state.connection.phase)).toEqual(['live', 'live']))
    expect(readings()).toBe(2)
    for (const subscription of [first, second]) subscription.close()
    await eventually(() => expect(server.open).toBe(0))
  })

  test('has a client of its own for other transports', async () => {
    for (const job of jobs) server.append(job)
    const both = [jobtail.subscribe('1', { url: server.base.href }), jobtail.subscribe('2', { url: server.base.href, transports: [jobtail.sse()] })]
    for (const job of both) job.onChange(() => {})
    await eventually(() => expect(both.map(({ state }) => state.connection.transport)).toEqual(['websocket', 'sse']))
    for (const job of both) job.close()
    await eventually(() => expect(server.open).toBe(0))
  })

  test('refuses what is no option, of the client or of its own', () => {
    expect(() => jobtail.subscribe('1', { afer: 'tail' } as object)).toThrow(/^option: expected one of url, .*, after, signal, onGap, got "afer"$/)
    expect(() => jobtail.subscribe('1', { bufferSize: 0 })).toThrow('bufferSize')
    expect(() => jobtail.subscribe('1', { onGap: 'ignore' } as object)).toThrow('onGap')
  })

  test('start is on the same client', async () => {
    server.append('1')
    vi.stubGlobal('fetch', async (input: URL, init: RequestInit) =>
      init?.method === 'POST' ? Response.json({ id: '1', status: 'running', epoch: 'a', seq: 1, cursor: 'a-1' }, { status: 202 }) : fetched(input, init)
    )
    const followed = jobtail.subscribe('1', { url: server.base.href, token: 'starts' })
    followed.onChange(() => {})
    const started = await jobtail.start({ report: 'yearly' }, { url: server.base.href, token: 'starts', idempotencyKey: 'a' })
    started.onChange(() => {})
    await eventually(() => expect([followed, started].map(({ state }) => state.connection.phase)).toEqual(['live', 'live']))
    expect(readings()).toBe(1)
    for (const subscription of [followed, started]) subscription.close()
    await expect(jobtail.start({}, { token: 7 } as object)).rejects.toMatchObject({ code: 'bad-request' })
    await eventually(() => expect(server.open).toBe(0))
  })
})

const fetched = globalThis.fetch
