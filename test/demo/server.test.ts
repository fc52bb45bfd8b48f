import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noFaults } from '../../demo/proxy/faults.ts'
import { type Demo, startDemo } from '../../demo/server.ts'

describe('the demo on one origin', () => {
  let demo: Demo

  beforeEach(async () => {
    demo = await startDemo({ port: 0, host: '127.0.0.1' })
  })
  afterEach(() => demo.close())

  const post = (body: string, type = 'application/json'): Promise<Response> =>
    fetch(`${demo.url}/_proxy`, { method: 'POST', headers: { 'content-type': type }, body })

  test('a job runs behind the proxy, and its log is read past it', async () => {
    const started = await fetch(`${demo.url}/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'stream', events: 30, intervalMs: 0 })
    })
    expect(started.status).toBe(202)
    const { id } = (await started.json()) as { id: string } // as: our own server's
    await expect.poll(async () => (await demo.readLog(id)).at(-1)?.type).toBe('succeeded')
    demo.proxy.awayFor(60_000)
    expect((await fetch(`${demo.url}/jobs/${id}/events`)).status).toBe(502)
    expect(await (await fetch(`${demo.url}/_log/${id}`)).json()).toEqual(await demo.readLog(id))
    expect(await (await fetch(`${demo.url}/_log/nobody`)).json()).toEqual([])
    expect((await fetch(`${demo.url}/`)).status).toBe(200)
  })

  test('the switches', async () => {
    expect(await (await fetch(`${demo.url}/_proxy`)).json()).toEqual({ faults: noFaults, awayMs: 0, connections: { websocket: 0, stream: 0, request: 0 } })
    expect(await (await post('{"faults":{"webSocket":"mute","requestLimitMs":1000}}')).json()).toMatchObject({
      faults: { ...noFaults, webSocket: 'mute', requestLimitMs: 1000 }
    })
    expect(((await (await post('{"awayMs":5000}')).json()) as { awayMs: number }).awayMs).toBeGreaterThan(0) // as: our own server's
    expect(await (await post('{"awayMs":0,"cut":true}')).json()).toMatchObject({ awayMs: 0 })
  })

  test.each([
    '{',
    '[]x',
    '{"faults":1}',
    '{"faults":{"webSocket":"sing"}}',
    '{"faults":{"latencyMs":-1}}',
    '{"faults":{"stalled":1}}',
    '{"faults":{"toString":1}}'
  ])('a switch that is none: %s', async (body) => {
    expect((await post(body)).status).toBe(400)
    expect(demo.proxy.faults).toEqual(noFaults)
  })

  test('a form of another page cannot throw a switch', async () => {
    expect((await post('{"cut":true}', 'text/plain')).status).toBe(415)
  })
})

describe('node demo/main.ts', () => {
  const start = (...options: string[]) => spawn(process.execPath, [fileURLToPath(new URL('../../demo/main.ts', import.meta.url)), ...options])

  /** Resolves with the output up to the address, and the address. */
  async function saidUrl(child: ReturnType<typeof start>): Promise<{ url: string; said: string }> {
    let said = ''
    for await (const chunk of child.stdout) {
      said += chunk
      const url = /http:\S+/.exec(said)?.[0]
      if (url !== undefined) return { url, said }
    }
    throw new Error(`it ended without an address: ${said}`)
  }

  test('says where it is, serves the page, ends at SIGINT', async () => {
    const child = start('--port', '0')
    let complaints = ''
    child.stderr.on('data', (chunk) => {
      complaints += chunk
    })
    const { url } = await saidUrl(child)
    expect((await fetch(url)).status).toBe(200)
    child.kill('SIGINT')
    expect([await once(child, 'exit'), complaints]).toEqual([[0, null], ''])
  })

  test('takes another port where the wanted one is taken', async () => {
    const holder = http.createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo // as: it listens on a port
    const child = start('--port', String(port))
    const { url } = await saidUrl(child)
    expect(Number(new URL(url).port)).toBeGreaterThan(port)
    child.kill('SIGINT')
    await once(child, 'exit')
    holder.close()
  })

  test('refuses what is no port', async () => {
    expect(await once(start('--port', 'x'), 'exit')).toEqual([2, null])
  })
})
