/** Whoever asks for `more` is not sent a long log at one go (PROTOCOL.md §6). */

import { describe, expect, test, vi } from 'vitest'
import { openSocket, openStream } from './clients.ts'
import { serve } from './serve.ts'

const more = { control: 'more', job: '42' }

async function serveLong(count: number, data: unknown = null) {
  const served = await serve()
  for (let seq = 1; seq <= count; seq += 1) await served.jobs.publish('42', 'output', data)
  return served
}

describe('an event stream', () => {
  test('has a thousand events and a page at the most, and is over where there are more', async () => {
    const { base } = await serveLong(1500)
    const stream = await openStream(`${base}/42/events?more=1`)
    await stream.ended
    const seqs = stream.events().map(({ seq }) => seq)
    expect(seqs).toEqual(seqs.map((_, index) => index + 1))
    expect(seqs.length).toBeGreaterThanOrEqual(1000)
    expect(seqs.length).toBeLessThan(1100)
    expect(stream.controls().at(-1)).toEqual(more)
  })

  test('has a mebibyte of large ones, and one event more at the most', async () => {
    const { base } = await serveLong(20, 'x'.repeat(100_000))
    const stream = await openStream(`${base}/42/events?more=1`)
    await stream.ended
    expect(stream.events()).toHaveLength(11)
    expect(stream.controls().at(-1)).toEqual(more)
  })

  test('has all of them where it has not asked, or where they are not more', async () => {
    const { jobs, base } = await serveLong(1500)
    const all = await openStream(`${base}/42/events`)
    await vi.waitFor(() => expect(all.events()).toHaveLength(1500))
    const rest = await openStream(`${base}/42/events?more=1`, { 'last-event-id': String(all.events()[499]?.id) })
    await vi.waitFor(() => expect(rest.events()).toHaveLength(1000))
    await jobs.publish('42', 'succeeded')
    await Promise.all([all.ended, rest.ended])
    for (const stream of [all, rest]) expect(stream.controls().map(({ control }) => control)).toEqual(['hello', 'subscribed', 'done'])
  })
})

test('a socket goes on with its other jobs, and with this one where it is asked for again', async () => {
  const { jobs, base } = await serveLong(1500)
  await jobs.publish('43', 'started')
  const socket = openSocket(`${base}/events?job=42&after=&job=43&after=&more=1`)
  await vi.waitFor(() => expect(socket.controls('more')).toEqual([more]))
  const had = socket.events().filter(({ job }) => job === '42').length
  expect(had).toBeLessThan(1100)
  await jobs.publish('42', 'output')
  await jobs.publish('43', 'output')
  await vi.waitFor(() => expect(socket.events().filter(({ job }) => job === '43')).toHaveLength(2))
  expect(socket.events().filter(({ job }) => job === '42')).toHaveLength(had)
  socket.send({ op: 'subscribe', job: '42', after: socket.events().findLast(({ job }) => job === '42')?.id, ref: 1 })
  await vi.waitFor(() => expect(socket.events().filter(({ job }) => job === '42')).toHaveLength(1501))
  expect(socket.controls('more')).toHaveLength(1)
})

test('one that keeps up is never told, however long it reads', async () => {
  const { jobs, base } = await serve()
  const socket = openSocket(`${base}/42/events?more=1`)
  for (let seq = 1; seq <= 2500; seq += 1) {
    await jobs.publish('42', 'output')
    if (seq % 500 === 0) await vi.waitFor(() => expect(socket.events()).toHaveLength(seq))
  }
  expect(socket.controls('more')).toEqual([])
})
