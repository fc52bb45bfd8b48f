/** With and without `fastPath`, readers get the same bytes. */

import http from 'node:http'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket as ServerSocket } from 'ws'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const LENGTHS = [1, 100, 200, 40_000, 100_000]

/** Counts the bytes that pass through `res.write` and `ws.send`, as a monitoring agent does. */
function countBytes() {
  const counted = { http: 0, ws: 0 }
  const { write } = http.ServerResponse.prototype
  const { send } = ServerSocket.prototype
  http.ServerResponse.prototype.write = function (this: http.ServerResponse, ...args: Parameters<typeof write>) {
    counted.http += Buffer.byteLength(String(args[0]))
    return write.apply(this, args)
  } as typeof write
  // as: the one overload that is used
  ServerSocket.prototype.send = function (this: ServerSocket, ...args: [data: string]) {
    counted.ws += Buffer.byteLength(args[0])
    return send.apply(this, args as never)
  } as typeof send
  onTestFinished(() => {
    http.ServerResponse.prototype.write = write
    ServerSocket.prototype.send = send
  })
  return counted
}

describe.each([true, false])('fastPath: %s', (fastPath) => {
  test('events of any length arrive whole and in order, over a stream and a socket, and are counted', async () => {
    const counted = countBytes()
    const { jobs, base } = await serve({ fastPath })
    await jobs.publish('42', 'queued')
    const stream = await openStream(`${base}/42/events`)
    const socket = openSocket(`${base}/42/events`)
    await vi.waitFor(() => expect([stream.events().length, socket.events().length]).toEqual([1, 1]))
    for (const length of LENGTHS) await jobs.publish('42', 'output', 'é'.repeat(length))
    await jobs.publish('42', 'succeeded')
    await stream.ended
    await socket.closed
    const expected = ['queued', ...LENGTHS, 'succeeded']
    for (const events of [stream.events(), socket.events()])
      expect(events.map(({ type, data }) => (type === 'output' ? String(data).length : type))).toEqual(expected)
    const bytes = 2 * LENGTHS.reduce((sum, length) => sum + length)
    if (fastPath) expect(counted).toEqual({ http: 0, ws: 0 })
    else expect([counted.http > bytes, counted.ws > bytes]).toEqual([true, true])
  })

  test('a reader that stops reading is not read for any further', async () => {
    const gate = createGate()
    const { jobs, base } = await serve({ fastPath, log: gate.log, maxBufferedBytes: 10_000, heartbeatMs: 60_000 })
    for (let n = 0; n < 4000; n += 1) await jobs.publish('42', 'output', 'x'.repeat(10_000))
    const socket = openSocket(`${base}/42/events`)
    await vi.waitFor(() => expect(socket.events().length).toBeGreaterThan(1))
    socket.ws.pause()
    const settled = await vi.waitFor(async () => {
      const before = gate.eventsRead()
      await new Promise((resolve) => setImmediate(resolve))
      await jobs.health()
      expect(gate.eventsRead()).toBe(before)
      return before
    })
    expect(settled).toBeLessThan(4000)
    socket.ws.resume()
    await vi.waitFor(() => expect(socket.events()).toHaveLength(4000), { timeout: 20_000 })
  }, 30_000)
})
