import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TransportError } from '../../src/errors.ts'
import { type LinkEvent, type LinkOptions, type RunningLink, runLink } from '../../src/link/link.ts'
import type { Frame, Hello } from '../../src/protocol/frames.ts'
import { event } from '../delivery/recorder.ts'
import { type ScriptedLink, scriptLink } from './scripted-link.ts'

const hello: Hello = { control: 'hello', protocol: 1, heartbeatMs: 1000 }
const heartbeat: Frame = { control: 'heartbeat' }
const refusal: Frame = { control: 'error', status: 403, code: 'forbidden', message: 'no' }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

interface Run {
  link: RunningLink
  wire: ScriptedLink
  signal: AbortSignal
  /** What the link reported, in order. */
  did: string[]
  /** The memory of one event, as reported with each batch. */
  bytesEach: (number | undefined)[]
  /** How the link has ended. */
  ending: TransportError | undefined
  isOver: boolean
  /** Ends the link and waits for its report. */
  end(): Promise<void>
}

/** One word for each frame. */
function wordsFor(event: LinkEvent): string[] {
  switch (event.type) {
    case 'frames':
      return [...(event.proves ? ['proved'] : []), ...event.frames.map((frame) => ('control' in frame ? frame.control : frame.id))]
    case 'suspect':
      return [`suspect after ${event.quietMs}`]
    case 'ended':
      return []
  }
}

/** A link that is running and was pulled once. `onEvent` is called before an event is recorded. */
async function run({ onEvent = () => {}, ...options }: Partial<LinkOptions> = {}): Promise<Run> {
  const did: string[] = []
  const bytesEach: (number | undefined)[] = []
  const running: Partial<Run> = { did, bytesEach, ending: undefined, isOver: false }
  const link = runLink({
    open(signal) {
      running.signal = signal
      running.wire = scriptLink(signal)
      return running.wire
    },
    patienceMs: 5000,
    onEvent(event) {
      expect(running.isOver).toBe(false) // nothing is reported after the end
      onEvent(event)
      did.push(...wordsFor(event))
      if (event.type === 'frames') bytesEach.push(event.bytesEach)
      if (event.type !== 'ended') return
      running.ending = event.error
      running.isOver = true
    },
    ...options
  })
  running.link = link
  running.end = async () => {
    link.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(running.isOver).toBe(true)
  }
  await vi.advanceTimersByTimeAsync(0)
  return running as Run // as: it was opened above
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

describe('proof', () => {
  test('nothing happens before its owner has it in hand', async () => {
    const open = vi.fn(scriptLink)
    const onEvent = vi.fn()
    const link = runLink({ open, patienceMs: 5000, onEvent })
    expect(open).not.toHaveBeenCalled()
    link.end()
    expect(onEvent).not.toHaveBeenCalled()
    await pass(0)
    expect(onEvent.mock.calls).toEqual([[{ type: 'ended', error: undefined }]])
  })

  test('is the first frame, told before the frame itself', async () => {
    const { link, wire, did, end } = await run()
    expect(link.provedAt).toBeUndefined()
    await pass(300)
    wire.push(hello)
    await pass(0)
    expect(did).toEqual(['proved', 'hello'])
    expect((link.provedAt ?? 0) - link.startedAt).toBe(300)
    wire.push([heartbeat, heartbeat])
    await pass(0)
    expect(did).toEqual(['proved', 'hello', 'heartbeat', 'heartbeat'])
    await end()
  })

  test('is not bytes that make no frame, nor the server’s refusal, which is handed on all the same', async () => {
    const { link, wire, did, end } = await run()
    wire.push([])
    wire.push(refusal)
    await pass(0)
    expect(did).toEqual(['error'])
    expect(link.provedAt).toBeUndefined()
    await end()
  })

  test('no answer in time: timeout', async () => {
    const running = await run()
    await pass(4999)
    expect(running.isOver).toBe(false)
    await pass(1)
    expect(running.ending).toMatchObject({ reason: 'timeout', message: 'no answer within 5000 ms' })
    expect(running.signal.aborted).toBe(true)
  })

  test('bytes in time, but no frame: mute', async () => {
    const running = await run()
    await pass(4000)
    running.wire.push([])
    await pass(1000)
    expect(running.ending).toMatchObject({ reason: 'mute', message: 'opened, but delivered nothing within 5000 ms' })
  })

  test('in time takes the limit away', async () => {
    const running = await run()
    await pass(4999)
    running.wire.push({ ...hello, heartbeatMs: 24_000 })
    await pass(50_000)
    expect(running.isOver).toBe(false)
    await running.end()
  })
})

describe('silence', () => {
  test('ends it, counted from the last byte', async () => {
    const running = await run()
    running.wire.push(hello)
    await pass(2000)
    running.wire.push([])
    await pass(2000)
    running.wire.push(heartbeat)
    await pass(2499)
    expect(running.isOver).toBe(false)
    await pass(1)
    expect(running.ending).toMatchObject({ reason: 'silent', message: 'silent for 2500 ms' })
  })

  test('is two and a half of the heartbeats that the hello tells, from the hello on', async () => {
    const running = await run()
    running.wire.push(hello)
    await pass(2499)
    expect(running.isOver).toBe(false)
    await pass(1)
    expect(running.ending).toMatchObject({ reason: 'silent' })
  })

  test('is judged by a clock that doesn’t jump with the wall’s', async () => {
    const running = await run()
    running.wire.push(hello)
    await pass(1000)
    vi.setSystemTime(Date.now() + 3_600_000)
    await pass(1499)
    expect(running.isOver).toBe(false)
    await running.end()
  })
})

describe('a server that promises no heartbeat', () => {
  const silentHello: Hello = { control: 'hello', protocol: 1 }

  test('is never dead by silence, but suspect: its silence proves nothing', async () => {
    const running = await run()
    running.wire.push(silentHello)
    await pass(24 * 3_600_000)
    expect(running.isOver).toBe(false)
    // At first as with the usual heartbeat of 15 s, then more and more rarely.
    const suspicions = running.did.slice(2)
    expect(suspicions.slice(0, 4)).toEqual([7500, 15_000, 30_000, 60_000].map((ms) => `suspect after ${ms}`))
    expect(suspicions.length).toBeLessThan(20)
    await running.end()
  })

  test('is dead where an event was required of it', async () => {
    const running = await run()
    running.wire.push(silentHello)
    await pass(1000)
    running.link.requireEventWithin(250)
    await pass(250)
    expect(running.ending?.reason).toBe('silent')
  })

  test('as a poll says again with each answer, which changes nothing', async () => {
    const running = await run()
    running.wire.push(silentHello)
    for (let answers = 0; answers < 10; answers += 1) {
      await pass(700)
      running.wire.push([silentHello])
    }
    await pass(500)
    expect(running.did.filter((each) => each !== 'hello')).toEqual(['proved', 'suspect after 7500'])
    await running.end()
  })
})

test('a heartbeat that is told anew counts from then on', async () => {
  const running = await run()
  running.wire.push(hello)
  await pass(1000)
  running.wire.push({ ...hello, heartbeatMs: 4000 })
  await pass(9999)
  expect(running.isOver).toBe(false)
  await pass(1)
  expect(running.ending).toMatchObject({ reason: 'silent', message: 'silent for 10000 ms' })
})

describe('after a sleep', () => {
  test('which only the wall’s clock has counted, it is suspect at the next look at the clock', async () => {
    const running = await run()
    running.wire.push({ ...hello, heartbeatMs: 10_000 })
    await pass(500)
    vi.setSystemTime(Date.now() + 3_600_000)
    await pass(4500)
    expect(running.did).toEqual(['proved', 'hello', 'suspect after 5000'])
    running.wire.push(heartbeat)
    await pass(15_000)
    expect(running.did).toEqual(['proved', 'hello', 'suspect after 5000', 'heartbeat', 'suspect after 10000', 'suspect after 20000'])
    expect(running.isOver).toBe(false)
    await running.end()
  })

  test('or a long task, which both have counted, it is suspect first: what came meanwhile is yet to be heard', async () => {
    const running = await run()
    running.wire.push(hello)
    await pass(0)
    const [started, perf] = [Date.now(), performance.now()]
    vi.spyOn(Date, 'now').mockImplementation(() => started + 60_000)
    vi.spyOn(performance, 'now').mockImplementation(() => perf + 60_000)
    await pass(1250)
    expect(running.did).toEqual(['proved', 'hello', 'suspect after 60000'])
    expect(running.isOver).toBe(false)
    vi.spyOn(performance, 'now').mockImplementation(() => perf + 61_250)
    vi.spyOn(Date, 'now').mockImplementation(() => started + 61_250)
    await pass(1250)
    expect(running.ending).toMatchObject({ reason: 'silent', message: 'silent for 61250 ms' })
    vi.restoreAllMocks()
  })

  test('or a long task before its proof, it has a moment more: the answer may be waiting', async () => {
    const [slow, dead] = [await run(), await run()]
    const clock = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => clock() + 4000)
    await pass(5000)
    expect([slow.isOver, dead.isOver]).toEqual([false, false])
    slow.wire.push({ ...hello, heartbeatMs: 15_000 })
    await pass(1000)
    expect(slow.did).toEqual(['proved', 'hello'])
    expect(dead.ending).toMatchObject({ reason: 'timeout' })
    await slow.end()
    vi.restoreAllMocks()
  })
})

describe('in a hidden page, whose timers are late', () => {
  let lateMs = 0
  beforeEach(() => {
    lateMs = 0
    vi.stubGlobal('document', { hidden: true })
    for (const clock of [Date, performance]) {
      const real = clock.now.bind(clock)
      vi.spyOn(clock, 'now').mockImplementation(() => real() + lateMs)
    }
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })
  /** Every timer fires this much too late. */
  const delayTimers = (ms: number): void => {
    lateMs += ms
  }

  test('it is suspect only where a suspicion is due', async () => {
    const running = await run()
    running.wire.push({ ...hello, heartbeatMs: 15_000 }) // suspect after 18,750 ms without an event
    await pass(7000)
    running.wire.push(event('1', 'a', 1))
    await pass(11_000)
    delayTimers(3000)
    await pass(1000)
    expect(running.did).toEqual(['proved', 'hello', 'a-1'])
    await pass(3749)
    expect(running.did).toEqual(['proved', 'hello', 'a-1'])
    await pass(1)
    expect(running.did.slice(3)).toEqual(['suspect after 18750'])
    await running.end()
  })

  test('a silence that is too long twice in a row is its end, although the timer was late both times', async () => {
    const running = await run()
    running.wire.push({ ...hello, heartbeatMs: 15_000 })
    await pass(1000)
    delayTimers(60_000)
    await pass(18_000)
    expect(running.isOver).toBe(false)
    delayTimers(60_000)
    await pass(19_000)
    expect(running.ending?.reason).toBe('silent')
  })

  test('so is an answer that is missing twice in a row', async () => {
    const running = await run()
    delayTimers(60_000)
    await pass(5000)
    expect(running.isOver).toBe(false)
    delayTimers(60_000)
    await pass(1000)
    expect(running.ending?.reason).toBe('timeout')
  })
})

describe('quiet out of character', () => {
  let seq = 0

  /** A link that has brought an event every 50 ms for 3 s. */
  async function lively(heartbeatMs = 15_000): Promise<Run> {
    const running = await run()
    running.wire.push({ ...hello, heartbeatMs })
    for (let count = 0; count < 60; count += 1) {
      await pass(50)
      running.wire.push(event('1', 'a', ++seq))
    }
    await pass(0)
    running.did.length = 0
    return running
  }
  const suspicions = (...all: number[]): string[] => all.map((quietMs) => `suspect after ${quietMs}`)

  test('is told after a second, then each time that it has doubled', async () => {
    const running = await lively()
    await pass(999)
    expect(running.did).toEqual([])
    await pass(1)
    expect(running.did).toEqual(suspicions(1000))
    await pass(36_499)
    expect(running.did).toEqual(suspicions(1000, 2000, 4000, 8000, 16_000, 32_000))
    expect(running.isOver).toBe(false)
    await pass(1)
    expect(running.ending?.reason).toBe('silent')
  })

  test('is not ended by heartbeats, which only say that it lives', async () => {
    const running = await lively()
    for (let beats = 0; beats < 240; beats += 1) {
      await pass(15_000)
      running.wire.push(heartbeat)
    }
    const told = running.did.filter((each) => each !== 'heartbeat')
    expect(told).toEqual(suspicions(...Array.from({ length: 12 }, (_, index) => 1000 * 2 ** index)))
    expect(running.isOver).toBe(false)
    await running.end()
  })

  test('ends with the next event: it has been so long before', async () => {
    const running = await lively()
    await pass(1500)
    running.wire.push(event('1', 'a', ++seq))
    await pass(5999)
    expect(running.did).toEqual([...suspicions(1000), `a-${seq}`])
    await pass(1)
    expect(running.did).toEqual([...suspicions(1000), `a-${seq}`, ...suspicions(6000)])
    await running.end()
  })

  test('can be asked about, once it is a silence', async () => {
    const running = await lively()
    await pass(900)
    running.link.check()
    expect(running.did).toEqual([])
    await pass(101)
    running.link.check()
    expect(running.did).toEqual(suspicions(1000, 1001))
    await running.end()
    running.link.requireEventWithin(10)
    await pass(1000)
    expect(running.did).toHaveLength(2)
  })

  test('with an event required of it, it is dead unless an event comes in time', async () => {
    const [dead, alive] = [await lively(), await lively()]
    for (const { link } of [dead, alive]) link.requireEventWithin(250)
    await pass(249)
    alive.wire.push(event('1', 'a', ++seq))
    dead.wire.push(heartbeat)
    expect(dead.isOver).toBe(false)
    await pass(1)
    expect(dead.ending?.reason).toBe('silent')
    await pass(5000)
    expect(alive.isOver).toBe(false)
    await alive.end()
  })

  test('that is due already asks for no time in the past, of which Node warns', async () => {
    const { link, wire, end } = await run()
    wire.push(hello)
    await pass(0)
    const clock = performance.now.bind(performance)
    let looks = 0
    const slow = vi.spyOn(performance, 'now').mockImplementation(() => clock() + ++looks)
    const timer = vi.spyOn(globalThis, 'setTimeout')
    link.requireEventWithin(0)
    slow.mockRestore()
    expect(timer.mock.lastCall?.[1]).toBeGreaterThanOrEqual(0)
    timer.mockRestore()
    await end()
  })
})

test('its last byte is known: what says hello and no more has not lived', async () => {
  const running = await run()
  const { link, wire } = running
  wire.push(hello)
  await pass(1000)
  wire.push([])
  await pass(2500)
  expect(running.ending?.reason).toBe('silent')
  expect((link.lastByteAt ?? 0) - (link.provedAt ?? 0)).toBe(1000)
})

test('its last event is known, and until then its proof: no other frame counts', async () => {
  const { link, wire, end } = await run()
  wire.push(hello)
  await pass(400)
  wire.push(heartbeat)
  await pass(0)
  expect(link.lastEventAt).toBe(link.provedAt)
  wire.push([heartbeat, event('1', 'a', 1)])
  await pass(0)
  expect(link.lastEventAt - (link.provedAt ?? 0)).toBe(400)
  await end()
})

test('how much text has come is shared among the frames it came as', async () => {
  const { wire, bytesEach, end } = await run()
  wire.push(Object.assign([hello, event('1', 'a', 1)], { textLength: 300 }))
  wire.push([event('1', 'a', 2)])
  wire.push(Object.assign([], { textLength: 50 }))
  wire.push(Object.assign([event('1', 'a', 3)], { textLength: 1000 }))
  await pass(0)
  expect(bytesEach).toEqual([150, undefined, 1000])
  await end()
})

describe('the end', () => {
  test('by the network keeps what the transport said', async () => {
    const running = await run()
    const said = new TransportError('status', 'answered 503', { status: 503 })
    running.wire.end(said)
    await pass(0)
    expect(running.ending).toBe(said)
    expect(running.signal.aborted).toBe(true)
  })

  test('of the body is a cut', async () => {
    const running = await run()
    running.wire.push(hello)
    running.wire.end()
    await pass(0)
    expect(running.ending).toMatchObject({ reason: 'cut', message: 'the connection ended' })
    expect(running.did).toEqual(['proved', 'hello'])
  })

  test.each([
    ['an error', new TypeError('Failed to fetch'), 'Failed to fetch'],
    ['something else', 'oh', 'oh']
  ])('by a transport that throws %s of its own', async (_, thrown, message) => {
    const running = await run()
    running.wire.end(thrown)
    await pass(0)
    expect(running.ending).toMatchObject({ reason: 'network', message, cause: thrown })
  })

  test('by a transport that can’t even open', async () => {
    const running = await run({
      open() {
        throw new TransportError('unsupported', 'no such thing here')
      }
    })
    expect(running.ending).toMatchObject({ reason: 'unsupported', message: 'no such thing here' })
  })

  test('by whoever takes the frames: that is a failure of the link', async () => {
    const running = await run({
      onEvent({ type }) {
        if (type === 'frames') throw new TransportError('protocol', 'expected seq 2, got 3')
      }
    })
    running.wire.push(hello)
    await pass(0)
    expect(running.ending).toMatchObject({ reason: 'protocol' })
    expect(running.wire.returned).toBe(true)
  })

  test('by its owner is no failure, and nothing comes after it', async () => {
    const running = await run()
    running.wire.push(hello)
    await pass(0)
    running.link.end()
    running.wire.push(heartbeat)
    await pass(0)
    expect(running).toMatchObject({ isOver: true, ending: undefined })
    expect(running.signal.aborted).toBe(true)
    expect(running.did).toEqual(['proved', 'hello'])
  })

  test('by its owner with an error is that failure', async () => {
    const running = await run()
    running.link.end(new TransportError('bye', 'closing'))
    await pass(0)
    expect(running.ending).toMatchObject({ reason: 'bye', message: 'closing' })
  })

  test('by its owner before it was opened opens nothing', async () => {
    const open = vi.fn(scriptLink)
    const onEvent = vi.fn()
    runLink({ open, patienceMs: 5000, onEvent }).end()
    await pass(10_000)
    expect(onEvent.mock.calls).toEqual([[{ type: 'ended', error: undefined }]])
    expect(open).not.toHaveBeenCalled()
  })

  test('by its owner as it is proved: what came with the proof is still told, nothing after it', async () => {
    const running: Run = await run({ onEvent: (event) => event.type === 'frames' && event.proves && running.link.end() })
    running.wire.push([hello, event('1', 'a', 1)])
    running.wire.push(heartbeat)
    await pass(0)
    expect(running).toMatchObject({ isOver: true, ending: undefined })
    expect(running.did).toEqual(['proved', 'hello', 'a-1'])
  })

  test('by its owner while it takes frames: nothing after it', async () => {
    const running: Run = await run({ onEvent: ({ type }) => type === 'frames' && running.link.end() })
    running.wire.push(hello)
    running.wire.push(heartbeat)
    await pass(0)
    expect(running.did).toEqual(['proved', 'hello'])
    expect(running.isOver).toBe(true)
  })

  test('comes also where the transport ignores the abort', async () => {
    const timedOut = await run({ open: () => scriptLink() })
    await pass(5000)
    expect(timedOut.ending).toMatchObject({ reason: 'timeout' })
    const ended = await run({ open: () => scriptLink() })
    ended.link.end()
    await pass(0)
    expect(ended).toMatchObject({ isOver: true, ending: undefined })
  })
})

test('bye ends it as planned, and says how soon to come back; nothing that comes later is heard', async () => {
  const running = await run()
  running.wire.push([hello, { control: 'bye', reason: 'max-age', retryMs: 700 }])
  running.wire.push(heartbeat)
  await pass(0)
  expect(running.ending).toMatchObject({ reason: 'bye' })
  expect(running.link.byeMs).toBe(700)
  expect(running.did).toEqual(['proved', 'hello', 'bye'])
})

test('a server of another protocol is not listened to', async () => {
  const running = await run()
  running.wire.push([{ ...hello, protocol: 2 }, heartbeat])
  await pass(0)
  expect(running.ending).toMatchObject({ reason: 'protocol', message: 'the server speaks protocol 2, expected 1' })
  expect(running.did).toEqual([])
})

describe('update', () => {
  test('is the transport’s, once that is open', async () => {
    const update = vi.fn()
    const running = await run({ open: (signal) => ({ ...scriptLink(signal), update }) })
    running.link.update?.([{ job: '1', ref: 2 }])
    expect(update).toHaveBeenCalledWith([{ job: '1', ref: 2 }])
    await running.end()
  })

  test('is not there where the transport has none', async () => {
    const running = await run()
    expect(running.link.update).toBeUndefined()
    await running.end()
  })
})
