import { expect, test, vi } from 'vitest'
import { dispatch } from '../../src/delivery/dispatch.ts'
import { createReadings, type Wants } from '../../src/delivery/readings.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { event, type Recorder, record, subscribed } from './recorder.ts'

function create(...readers: Recorder[]) {
  let refs = 0
  let wanted: Wants = Map.groupBy(readers, ({ job }) => job)
  const readings = createReadings(() => ++refs)
  readings.ask(wanted)
  const said: string[] = []
  const note =
    (what: string) =>
    (...args: unknown[]): void =>
      void said.push([what, ...args.map((arg) => (typeof arg === 'object' ? JSON.stringify(arg) : arg))].join(' '))
  return {
    said,
    leave() {
      wanted = new Map()
    },
    take: (...frames: Frame[]): number =>
      dispatch(frames, {
        readings,
        wants: () => wanted,
        onHello: ({ heartbeatMs }) => note('hello')(heartbeatMs),
        onSubscribed: note('subscribed'),
        onEnded: note('ended'),
        onError: ({ status }) => note('error')(status),
        onBye: note('bye')
      })
  }
}

const hello = { control: 'hello', protocol: 1, heartbeatMs: 15_000 } as const

test('each frame goes where it belongs; events are counted', () => {
  const one = record('1')
  const { take, said } = create(one)
  const error = { control: 'error', status: 403, code: 'forbidden', message: '' } as const
  const bye = { control: 'bye', reason: 'shutdown', retryMs: 700 } as const
  expect(take(hello, subscribed('1', 'a', 0), event('1', 'a', 1), event('1', 'a', 2), { control: 'heartbeat' }, { control: 'pong' }, error, bye)).toBe(2)
  expect(said).toEqual(['hello 15000', 'subscribed 1', 'error 403', 'bye 700'])
  expect(one.heard).toEqual(['running', 'a-1', 'a-2'])
})

test('a server of another protocol is not listened to', () => {
  const { take, said } = create(record('1'))
  expect(() => take({ ...hello, protocol: 2 })).toThrow(
    expect.objectContaining({ name: 'TransportError', reason: 'protocol', message: 'the server speaks protocol 2, expected 1' })
  )
  expect(said).toEqual([])
})

test('the end of a job is told before it is delivered', () => {
  const one = record('1')
  const { take, said } = create(one)
  vi.spyOn(one, 'event').mockImplementation(({ type }) => void said.push(type))
  take(subscribed('1', 'a', 0), event('1', 'a', 1), event('1', 'a', 2, 'cancelled'))
  expect(said).toEqual(['subscribed 1', 'progress', 'ended 1 cancelled', 'cancelled'])
})

test('done is told to those who are still there', () => {
  const done = { control: 'done', job: '1', cursor: 'a-0' } as const
  const [one, gone] = [record('1'), record('1')]
  create(one).take(subscribed('1', 'a', 0), done)
  expect(one.heard).toEqual(['running', 'done'])

  const { take, leave } = create(gone)
  take(subscribed('1', 'a', 0))
  leave()
  take(done)
  expect(gone.heard).toEqual(['running'])
})

test('nobody is left who wants the job that is subscribed', () => {
  const one = record('1')
  const { take, leave } = create(one)
  leave()
  take(subscribed('1', 'a', 0), event('1', 'a', 1))
  expect(one.heard).toEqual([])
})
