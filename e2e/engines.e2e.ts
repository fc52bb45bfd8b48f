/** Checks that the three engines behave alike behind `Engine`, so that other tests can compare them. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Engine, installedEngines, startEngine } from './engines.ts'

/** For conditions that may take a while on a busy machine. */
const patiently = { timeout: 60_000 }

let server: http.Server
let origin: string

beforeAll(async () => {
  server = http.createServer((req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>${req.url}</title>`))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `http://localhost:${(server.address() as AddressInfo).port}` // as: it listens on a port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe.each(installedEngines())('%s', (name) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine(name)
  })
  afterAll(() => engine.close())

  test('evaluates in a page, there and back again', async () => {
    const tab = await engine.open(`${origin}/a`)
    expect(await tab.evaluate('[document.title, isSecureContext, document.visibilityState]')).toEqual(['/a', true, 'visible'])
    await tab.goto(`${origin}/b`)
    expect(await tab.evaluate(`new Promise((resolve) => setTimeout(resolve, 10, { title: document.title }))`)).toEqual({ title: '/b' })
    await tab.back()
    await expect.poll(() => tab.evaluate('document.title'), patiently).toBe('/a')
    await expect(tab.evaluate(`Promise.reject(new TypeError('this one'))`)).rejects.toThrow('this one')
    await tab.close()
  })

  test('a page that waits holds up no other, and each is seen', async () => {
    const tabs = await Promise.all([engine.open(`${origin}/1`), engine.open(`${origin}/2`)])
    const [first, second] = tabs
    const waiting = first?.evaluate(`new Promise((resolve) => { window.go = resolve })`)
    expect(await second?.evaluate('[document.title, document.visibilityState]')).toEqual(['/2', 'visible'])
    await expect.poll(() => first?.evaluate(`typeof window.go`), patiently).toBe('function')
    expect(await first?.evaluate('document.visibilityState')).toBe('visible')
    await first?.evaluate(`window.go('gone')`)
    expect(await waiting).toBe('gone')
    for (const tab of tabs) await tab.close()
  })
})
