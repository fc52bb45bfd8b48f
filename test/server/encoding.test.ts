import { expect, test, vi } from 'vitest'
import type { Frame } from '../../src/protocol/frames.ts'
import { encodeTextFrame } from '../../src/server/fast-path.ts'
import { encodeOnce } from '../../src/server/readings/hello-and-encode.ts'
import { openSocket } from './clients.ts'
import { serve } from './serve.ts'

test.each([
  ['x'.repeat(125), [0x81, 125]],
  ['x'.repeat(126), [0x81, 126, 0, 126]],
  ['x'.repeat(65_535), [0x81, 126, 0xff, 0xff]],
  ['x'.repeat(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ['é🙂', [0x81, 6]]
])('a text message is one frame with its length in bytes: %#', (text, header) => {
  const frame = encodeTextFrame(text)
  expect([...frame.subarray(0, header.length)]).toEqual(header)
  expect(String(frame.subarray(header.length))).toBe(text)
})

test("messages of any length arrive whole and in order, between the socket's own frames", async () => {
  const { jobs, base } = await serve()
  await jobs.publish('42', 'queued')
  const socket = openSocket(`${base}/42/events`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  const lengths = [1, 10, 100, 1000, 65_400, 65_536, 200_000]
  for (const length of lengths) {
    socket.ws.ping()
    await jobs.publish('42', 'output', 'é'.repeat(length))
  }
  await vi.waitFor(() =>
    expect(
      socket
        .events()
        .slice(1)
        .map(({ data }) => String(data).length)
    ).toEqual(lengths)
  )
})

test('the same frames are encoded once in a row, different ones anew', () => {
  const event = (seq: number): Frame => ({ id: `e-${seq}`, seq, job: '42', type: 'progress', time: '2026-11-21T00:00:00.000Z', data: null })
  const [first, second] = [event(1), event(2)]
  const encode = vi.fn((frames: readonly Frame[]) => frames.length)
  const once = encodeOnce(encode)
  for (const frames of [[first], [first], [first, second], [first, second], [second, first], [first], [event(1)]]) expect(once(frames)).toBe(frames.length)
  expect(encode).toHaveBeenCalledTimes(5)
})
