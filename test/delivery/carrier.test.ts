import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Carrier, createCarrier } from '../../src/delivery/carrier.ts'
import type { Wants } from '../../src/delivery/readings.ts'
import type { Ending } from '../../src/strategy/link.ts'
import type { OpenRequest } from '../../src/types.ts'
import { type ScriptedLink, scriptLink } from '../strategy/scripted-link.ts'
import { event, type Recorder, record, subscribed } from './recorder.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

async function carry(...readers: Recorder[]) {
  const opened: OpenRequest[] = []
  const wires: ScriptedLink[] = []
  const heard: string[] = []
  const headers = new Headers({ 'x-own': 'yes' })
  const wants: Wants = Map.groupBy(readers, ({ job }) => job)
  let ending: Ending | undefined
  const carrier: Carrier = createCarrier({
    transport: {
      name: 'sse',
      isSupported: () => true,
      open(request) {
        const wire = scriptLink(request.signal)
        opened.push(request)
        wires.push(wire)
        return wire
      }
    },
    request: { base: new URL('https://api.example.com/jobs'), headers, token: 'secret', credentials: 'same-origin', fetch, WebSocket },
    probeTimeoutMs: 5000,
    nextRef: () => 7,
    wants: () => wants,
    onProved: () => heard.push('proved'),
    onHello: (mux) => heard.push(`mux ${mux}`),
    onSubscribed: (job) => heard.push(`subscribed ${job}`),
    onEnded: (job, status) => heard.push(`${job} ${status}`),
    onError: ({ status }) => heard.push(`error ${status}`),
    onDelivered(frames) {
      heard.push(`delivered ${frames.length}`)
      return undefined
    },
    onOver(over, how) {
      expect(over).toBe(carrier)
      ending = how
      heard.push('over')
    }
  })
  await vi.advanceTimersByTimeAsync(0)
  const [request, wire] = [opened[0], wires[0]]
  if (!request || !wire) throw new Error('the transport was not opened')
  return { carrier, request, wire, heard, headers, ending: () => ending }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const hello = { control: 'hello', protocol: 1, heartbeatMs: 2000 } as const

async function close({ carrier }: { carrier: Carrier }): Promise<void> {
  carrier.link.end()
  await carrier.link.ended
}

test('asks for what is wanted, with headers of its own', async () => {
  const all = await carry(record('1', 'a-4'))
  expect(all.request).toMatchObject({ jobs: [{ job: '1', ref: 7, after: 'a-4' }], token: 'secret', credentials: 'same-origin' })
  expect(all.request.headers.get('x-own')).toBe('yes')
  expect(all.request.headers).not.toBe(all.headers) // a transport may add to them
  await close(all)
})

test('delivers batch by batch, and counts events', async () => {
  const one = record('1')
  const all = await carry(one)
  all.wire.push({ ...hello, mux: 128 })
  all.wire.push([subscribed('1', 'a', 0), event('1', 'a', 1), event('1', 'a', 2, 'succeeded')])
  await pass(0)
  expect(all.heard).toEqual(['proved', 'mux 128', 'delivered 1', 'subscribed 1', '1 succeeded', 'delivered 3'])
  expect(one.heard).toEqual(['running', 'a-1', 'a-2'])
  expect(all.carrier.events).toBe(2)
  await close(all)
  expect(all.heard.at(-1)).toBe('over')
})

test('a server that names no mux carries one job', async () => {
  const all = await carry(record('1'))
  all.wire.push(hello)
  await pass(0)
  expect(all.heard).toContain('mux 1')
  await close(all)
})

test('is dead after two and a half of the heartbeats that its hello has told', async () => {
  const all = await carry(record('1'))
  all.wire.push(hello)
  await pass(4999)
  expect(all.ending()).toBeUndefined()
  await pass(1)
  expect(all.ending()).toMatchObject({ reason: 'silent' })
})

test('bye ends it as planned, and says how soon to come back', async () => {
  const all = await carry(record('1'))
  all.wire.push([hello, { control: 'bye', reason: 'max-age', retryMs: 700 }])
  await pass(0)
  expect(all.ending()).toMatchObject({ reason: 'bye' })
  expect(all.carrier.byeMs).toBe(700)
})

test('a broken protocol ends it', async () => {
  const all = await carry(record('1'))
  all.wire.push([hello, subscribed('1', 'a', 0), event('1', 'a', 2)])
  await pass(0)
  expect(all.ending()).toMatchObject({ reason: 'protocol', message: 'event a-2 of job 1: expected seq 1, got 2' })
})

test('an error is no proof', async () => {
  const all = await carry(record('1'))
  all.wire.push({ control: 'error', status: 403, code: 'forbidden', message: '', job: '1' })
  await pass(0)
  expect(all.heard).toEqual(['error 403', 'delivered 1'])
  expect(all.carrier.link.provedAt).toBeUndefined()
  await close(all)
})
