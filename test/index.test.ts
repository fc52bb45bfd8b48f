/** The public surface: what is exported, that it touches nothing, and the client that is shared. */

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as core from '../src/core.ts'
import * as jobtail from '../src/index.ts'
import { type ScriptedServer, startScriptedServer } from './transports/scripted-server.ts'

/** The machine may be busy. */
vi.setConfig({ testTimeout: 30_000 })
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000 })

test('exports', () => {
  expect(Object.keys(jobtail).sort()).toEqual([
    'JobFailedError',
    'JobtailError',
    'TransportError',
    'createClient',
    'explain',
    'indexedDbMemory',
    'isJobtailError',
    'longPoll',
    'shortPoll',
    'sse',
    'subscribe',
    'webSocket'
  ])
  expect(Object.keys(core).sort()).toEqual(['JobFailedError', 'JobtailError', 'TransportError', 'createClient', 'explain', 'isJobtailError'])
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

test('importing, subscribing and making a client touch no global: a server can do it, without a page', () => {
  const script = `
    const touched = []
    for (const name of ['fetch', 'WebSocket', 'indexedDB', 'location', 'document', 'window', 'localStorage', 'navigator', 'BroadcastChannel', 'setTimeout', 'setInterval'])
      Object.defineProperty(globalThis, name, { configurable: true, get() { touched.push(name) } })
    const { subscribe, createClient } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
    subscribe('42').state
    subscribe('42', { after: 'tail', token: 'x' })[Symbol.asyncIterator]()
    const client = createClient({ url: '/somewhere' })
    client.subscribe('42').close()
    client.close()
    process.stdout.write(JSON.stringify(touched))`
  const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
  expect(execFileSync(node, ['--input-type=module', '--eval', script], { encoding: 'utf8' })).toBe('[]')
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
    // The same url, as a text and as a URL; options of the subscription alone don't part it.
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

  test('has a client of its own with any other option', async () => {
    for (const job of jobs) server.append(job)
    const shared = jobtail.subscribe('1', { url: server.base.href })
    const own = jobtail.subscribe('2', { url: server.base.href, firstLook: true })
    const both = [shared, own].map(async (job) => {
      for await (const event of job) return event.seq
    })
    expect(await Promise.all(both)).toEqual([1, 1])
    const again = [jobtail.subscribe('1', { url: server.base.href }), jobtail.subscribe('2', { url: server.base.href, transports: [jobtail.sse()] })]
    for (const job of again) job.onChange(() => {})
    await eventually(() => expect(again.map(({ state }) => state.connection.transport)).toEqual(['websocket', 'sse']))
    for (const job of again) job.close()
    await eventually(() => expect(server.open).toBe(0))
  })
})
