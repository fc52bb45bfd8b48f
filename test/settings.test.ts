/** The options of a client are checked when it is made. Errors name the option, what was expected and what came. */

import { afterEach, describe, expect, test, vi } from 'vitest'
import { createClient as createCoreClient } from '../src/core.ts'
import { createClient, sse, webSocket } from '../src/index.ts'
import { absolute, type CoreOptions, settingsOf } from '../src/settings.ts'
import { useVirtualPage } from './client/virtual-page.ts'
import { elapse } from './client/virtual-time.ts'
import { failing, hanging } from './client/virtual-transport.ts'
import { createWorld, run, useVirtualTime } from './client/world.ts'

afterEach(() => void vi.unstubAllGlobals())

/** As `import * as memory` gives it: an object without a prototype. */
const memoryModule = Object.assign(Object.create(null), { read() {}, write() {} })

/** As a caller without type checks passes them. */
const make = (options: object) => () => createClient(options).close()

/** Every number that is invalid for the option. */
const WRONG_NUMBERS = [Number.NaN, -1, '250', true, null, {}]

describe('refused, when the client is made', () => {
  test.each<[string, unknown[]]>([
    ['url', [7, 'ftp://example.test/jobs', 'http://', {}, null]],
    ['transports', [sse(), ['sse'], [sse], [{ ...sse(), name: '' }], [{ ...sse(), open: undefined }], {}, null, 7]],
    ['backend', [null, 7, () => {}]],
    ['token', [7, {}, null, true]],
    ['headers', ['x-tenant: a', 7, null]],
    ['credentials', ['always', true, null]],
    ['staggerMs', WRONG_NUMBERS],
    ['probeTimeoutMs', [...WRONG_NUMBERS, 0]],
    ['firstLook', ['false', 0, null]],
    ['memory', [true, null, {}, { read() {} }, new Map(), Object.create(null)]],
    ['retry', [7, null, 'never', [3], new Date()]],
    ['unknownJobGraceMs', WRONG_NUMBERS],
    ['bufferSize', [...WRONG_NUMBERS, 0, 0.5]],
    ['bufferBytes', [...WRONG_NUMBERS, 0]],
    ['onDiagnostic', ['console.log', {}, null]],
    ['fetch', [{}, null]],
    ['WebSocket', ['ws', null]]
  ])('%s', (name, values) => {
    for (const value of values)
      expect(make({ [name]: value }), JSON.stringify(value)).toThrow(
        expect.objectContaining({ name: 'JobtailError', code: 'bad-request', message: expect.stringMatching(`^${name}: expected .*, got .`) })
      )
  })

  test.each([['baseMs'], ['maxMs'], ['attempts']])('retry.%s', (name) => {
    for (const value of [...WRONG_NUMBERS, 0]) expect(make({ retry: { [name]: value } })).toThrow(`retry.${name}: expected number from 1, got `)
  })

  test.each<[string, object, string]>([
    ['a number', { staggerMs: '250' }, 'staggerMs: expected number from 0, got "250"'],
    ['one that is none', { bufferSize: Number.NaN }, 'bufferSize: expected number from 1, got NaN'],
    ['one of a few', { credentials: 'always' }, 'credentials: expected "omit" or "same-origin" or "include", got "always"'],
    ['an object', { memory: new Map() }, 'memory: expected false or object with methods read, write, got Map'],
    [
      'a URL',
      { url: 'ftp://example.test/jobs' },
      'url: expected an http: or https: URL without a password, absolute outside of a page, got "ftp://example.test/jobs"'
    ],
    [
      'two transports of one name',
      { transports: [sse(), webSocket(), sse()] },
      'transports: expected transports, each with methods isSupported, open and its own name, got [sse,websocket,sse]'
    ],
    ['a name that is none', { retry: { tries: 3 } }, 'retry.option: expected one of baseMs, maxMs, attempts, got "tries"']
  ])('in words: %s', (_, options, message) => {
    expect(make(options)).toThrow(message)
  })

  test.each(['stagger', 'tokens', 'constructor', '__proto__', 'after'])('an option that there is not: %s', (name) => {
    const options = Object.defineProperty({}, name, { value: undefined, enumerable: true })
    expect(make(options)).toThrow(new RegExp(`^option: expected one of url, transports, .*, WebSocket, got "${name}"$`))
  })

  test.each([[null], ['/jobs'], [() => {}]])('%o in place of options', (options) => {
    const message = expect.stringMatching(/^options: expected Object, got /)
    expect(() => createClient(options as never)).toThrow(expect.objectContaining({ code: 'bad-request', message })) // as: a caller without type checks
  })

  test('a credential of the wrong type, without being told', () => {
    for (const options of [{ headers: 'authorization: Bearer s3cret' }, { token: 5338_3123 }]) {
      expect(make(options)).toThrow(/got (String|Number)$/)
    }
  })

  test('by the core as well', () => {
    expect(() => createCoreClient({ transports: [sse()], bufferSize: 0 })).toThrow('bufferSize')
  })
})

describe('refused, when it is used', () => {
  const client = createClient()

  test.each<[string, object, string]>([
    ['after', { after: 7 }, 'after: expected string, got 7'],
    ['signal', { signal: {} }, 'signal: expected AbortSignal, got Object'],
    ['the signal itself', new AbortController().signal, 'options: expected Object, got AbortSignal'],
    ['a token', 'secret' as never, 'options: expected Object, got "secret"'], // as: a caller without type checks
    ['null', null as never, 'options: expected Object, got null'],
    ['a controller in place of its signal', { signal: new AbortController() }, 'signal: expected AbortSignal, got AbortController'],
    ['onGap', { onGap: 'ignore' }, 'onGap: expected "yield" or "throw", got "ignore"'],
    ['a name that is none', { afer: 'a-1' }, 'option: expected one of after, signal, onGap, got "afer"']
  ])('subscribe: %s', (_, options, message) => {
    expect(() => client.subscribe('42', options)).toThrow(expect.objectContaining({ code: 'bad-request', message: expect.stringContaining(message) }))
  })

  test.each<[string, object, string]>([
    ['idempotencyKey', { idempotencyKey: 7 }, 'idempotencyKey: expected string, got 7'],
    ['onGap', { onGap: 'ignore' }, 'onGap'],
    ['a name that is none', { key: 'a' }, 'option: expected one of after, signal, onGap, idempotencyKey, got "key"']
  ])('start: %s', async (_, options, message) => {
    await expect(client.start({}, options)).rejects.toMatchObject({ code: 'bad-request', message: expect.stringContaining(message) })
  })
})

describe('taken', () => {
  test.each<object>([
    {},
    { url: '/jobs' },
    { url: 'jobs?tenant=a' },
    { url: new URL('https://api.example.com/jobs') },
    { transports: [sse()] },
    { backend: { transports: [sse()] } },
    { token: '12|abc' },
    { token: async () => undefined },
    { headers: new Headers() },
    { headers: [['x-tenant', 'a']] },
    { headers: () => ({}) },
    { staggerMs: 0 },
    { memory: false },
    { memory: { read() {}, write() {}, clear() {} } },
    { memory: memoryModule },
    { retry: { attempts: Infinity } },
    { bufferSize: Infinity, bufferBytes: Infinity },
    { fetch, WebSocket }
  ])('%o', (options) => {
    expect(make(options)).not.toThrow()
  })

  test('and undefined for the default', () => {
    const names = ['url', 'transports', 'token', 'staggerMs', 'memory', 'retry', 'bufferSize', 'onDiagnostic', 'fetch']
    expect(make(Object.fromEntries(names.map((name) => [name, undefined])))).not.toThrow()
    const defaults = settingsOf({ transports: [sse()] })
    expect(settingsOf({ transports: [sse()], staggerMs: undefined, retry: { attempts: undefined } } as unknown as CoreOptions)).toMatchObject({
      // as: exactOptionalPropertyTypes excludes an explicit `undefined`
      staggerMs: defaults.staggerMs,
      retry: { baseMs: 250, maxMs: 30_000, attempts: Infinity }
    })
    expect(defaults).toMatchObject({ bufferSize: 100_000, bufferBytes: 4_194_304 })
  })

  test('but no time is longer than a timer can wait', () => {
    const ms = 2 ** 31 - 1
    const longest = { staggerMs: Infinity, probeTimeoutMs: 1e300, unknownJobGraceMs: ms + 1 }
    expect(settingsOf({ transports: [sse()], ...longest, retry: { baseMs: 3e9, maxMs: Infinity } })).toMatchObject({
      staggerMs: ms,
      probeTimeoutMs: ms,
      unknownJobGraceMs: ms,
      retry: { baseMs: ms, maxMs: ms, attempts: Infinity }
    })
  })
})

describe('the base URL', () => {
  test('has no user name and no password, which `fetch` refuses; the error does not repeat them', () => {
    for (const url of ['https://tom:s3cret@example.com/jobs', 'https://:s3cret@example.com/jobs', new URL('https://tom:s3cret@example.com/jobs')]) {
      expect(make({ url })).toThrow(
        expect.objectContaining({ code: 'bad-request', message: expect.stringMatching(/^url: expected .* without a password, .*…@example/) })
      )
      expect(make({ url })).not.toThrow(/s3cret/)
    }
  })

  test('drops those of the page, which the browser sends by itself', () => {
    vi.stubGlobal('document', { baseURI: 'https://tom:s3cret@example.com/page' })
    expect(absolute('/jobs')?.href).toBe('https://example.com/jobs')
  })

  test('is what fetch makes of it: relative to the document’s base', () => {
    vi.stubGlobal('location', new URL('https://example.com/app/page'))
    expect(absolute('jobs')?.href).toBe('https://example.com/app/jobs')
    vi.stubGlobal('document', { baseURI: 'https://cdn.example.com/base/' })
    expect(absolute('jobs')?.href).toBe('https://cdn.example.com/base/jobs')
    expect(absolute('https://api.example.com/jobs')?.href).toBe('https://api.example.com/jobs')
  })

  test('in about:srcdoc is that of the page around it', () => {
    vi.stubGlobal('location', new URL('about:srcdoc'))
    expect(absolute('/jobs')).toBeUndefined()
    vi.stubGlobal('document', { baseURI: 'https://example.com/page' })
    expect(absolute('/jobs')?.href).toBe('https://example.com/jobs')
  })
})

describe('staggerMs: Infinity', () => {
  useVirtualTime()
  useVirtualPage()

  test('starts a transport only when the one before has failed', async () => {
    const world = createWorld({ staggerMs: Infinity, scripts: { websocket: failing('network'), sse: hanging } })
    world.log.fill('42', 1)
    run(world.client.subscribe('42'))
    await elapse(3000)
    expect(world.starts.map((each) => each.split('@')[0])).toEqual(['websocket', 'sse'])
  })
})
