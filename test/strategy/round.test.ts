import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { orAborted } from '../../src/async/signals.ts'
import { type FailureReason, TransportError } from '../../src/errors.ts'
import type { Failure } from '../../src/policy/next.ts'
import type { RunningLink } from '../../src/strategy/link.ts'
import { type Round, type RoundOptions, startRound } from '../../src/strategy/round.ts'

const order = ['websocket', 'sse', 'long-poll', 'short-poll']

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A contender that ends when it is told to. */
interface Fake extends RunningLink {
  isEnded: boolean
  fail(reason?: FailureReason): Promise<void>
}

function createFake(transport: string): Fake {
  const over = Promise.withResolvers<TransportError | undefined>()
  const end = (error?: TransportError): void => {
    fake.isEnded = true
    over.resolve(error)
  }
  const fake: Fake = {
    transport,
    startedAt: 0,
    heardAt: undefined,
    provedAt: undefined,
    eventAt: 0,
    events: 0,
    byeMs: undefined,
    update: undefined,
    ended: over.promise,
    end,
    check() {},
    challenge() {},
    isEnded: false,
    async fail(reason = 'cut') {
      end(new TransportError(reason, `${transport} failed`))
      await vi.advanceTimersByTimeAsync(0)
    }
  }
  return fake
}

interface Play {
  round: Round<Fake>
  /** What was opened, and after how many ms. */
  opened: string[]
  fakes: Fake[]
  lives: string[]
  end: readonly Failure[] | undefined
  error: unknown
  controller: AbortController
}

function play(options: Partial<RoundOptions<Fake>> = {}): Play {
  const began = Date.now()
  const controller = new AbortController()
  const played: Omit<Play, 'round'> = { opened: [], fakes: [], lives: [], end: undefined, error: undefined, controller }
  const round = startRound<Fake>({
    candidates: order,
    rank: () => order,
    staggerMs: 250,
    pause: (_, signal) => orAborted(new Promise<void>(() => {}), signal),
    renew: async () => {},
    open(transport) {
      const fake = createFake(transport)
      played.opened.push(`${transport} ${Date.now() - began}`)
      played.fakes.push(fake)
      return fake
    },
    onLive: (live, replaced) => played.lives.push(replaced ? `${replaced.transport} > ${live.transport}` : live.transport),
    controller,
    ...options
  })
  const result: Play = Object.assign(played, { round })
  round.over.then(
    (end) => {
      result.end = end
    },
    (error) => {
      result.error = error
    }
  )
  return result
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

function fakeOf({ fakes }: Play, name: string): Fake {
  const fake = fakes.findLast((each) => each.transport === name)
  if (!fake) throw new Error(`${name} was not opened`)
  return fake
}

/** Calls the round off, so that nothing is left of it. */
async function callOff({ controller }: Play): Promise<void> {
  controller.abort(new Error('called off'))
  await pass(0)
}

describe('stagger', () => {
  test('candidates that hang start one after the other', async () => {
    const played = play()
    await pass(10_000)
    expect(played.opened).toEqual(['websocket 0', 'sse 250', 'long-poll 500', 'short-poll 750'])
    expect(played.round.contenders.size).toBe(4)
    await callOff(played)
  })

  test('a failure starts the next one at once, from where the stagger goes on', async () => {
    const played = play()
    await pass(100)
    await fakeOf(played, 'websocket').fail('refused')
    await pass(10_000)
    expect(played.opened).toEqual(['websocket 0', 'sse 100', 'long-poll 350', 'short-poll 600'])
    await callOff(played)
  })

  test('a failure of an earlier one starts nothing: the last one still has its time', async () => {
    const played = play()
    await pass(300)
    await fakeOf(played, 'websocket').fail()
    expect(played.opened).toEqual(['websocket 0', 'sse 250'])
    await callOff(played)
  })

  test('the order of starts is the candidates’, not the rank', async () => {
    const played = play({ candidates: ['long-poll', 'websocket', 'sse', 'short-poll'] })
    await pass(10_000)
    expect(played.opened).toEqual(['long-poll 0', 'websocket 250', 'sse 500', 'short-poll 750'])
    await callOff(played)
  })
})

describe('the first that delivers', () => {
  test('is live; lesser ones don’t start, those under way are let go, better ones go on', async () => {
    const played = play()
    await pass(600)
    played.round.offer(fakeOf(played, 'sse'), false)
    await pass(10_000)
    expect(played.lives).toEqual(['sse'])
    expect(played.round.live?.transport).toBe('sse')
    expect(played.opened).toEqual(['websocket 0', 'sse 250', 'long-poll 500'])
    expect(fakeOf(played, 'long-poll').isEnded).toBe(true)
    expect(fakeOf(played, 'websocket').isEnded).toBe(false)
    await callOff(played)
  })

  test('being a lesser one, better ones still start', async () => {
    const played = play({ candidates: ['long-poll', 'websocket', 'sse', 'short-poll'] })
    played.round.offer(fakeOf(played, 'long-poll'), false)
    await pass(10_000)
    expect(played.opened).toEqual(['long-poll 0', 'websocket 250', 'sse 500'])
    await callOff(played)
  })

  test('wins once: the proof of another changes nothing', async () => {
    const played = play()
    await pass(300)
    played.round.offer(fakeOf(played, 'sse'), false)
    played.round.offer(fakeOf(played, 'websocket'), false)
    expect(played.lives).toEqual(['sse'])
    expect(fakeOf(played, 'sse').isEnded).toBe(false)
    await callOff(played)
  })
})

describe('a better one', () => {
  async function withLive(): Promise<Play> {
    const played = play()
    await pass(300)
    played.round.offer(fakeOf(played, 'sse'), false)
    played.round.offer(fakeOf(played, 'websocket'), false)
    return played
  }

  test('takes over only once it serves; then the other is let go, which is no end of the round', async () => {
    const played = await withLive()
    played.round.offer(fakeOf(played, 'websocket'), true)
    await pass(0)
    expect(played.lives).toEqual(['sse', 'sse > websocket'])
    expect(played.round.live?.transport).toBe('websocket')
    expect(fakeOf(played, 'sse').isEnded).toBe(true)
    expect([...played.round.contenders].map(({ transport }) => transport)).toEqual(['websocket'])
    expect(played.end).toBeUndefined()
    await callOff(played)
  })

  test('that fails takes nothing with it', async () => {
    const played = await withLive()
    await fakeOf(played, 'websocket').fail()
    expect(played.end).toBeUndefined()
    expect(played.round.live?.transport).toBe('sse')
    await callOff(played)
  })

  test('is nothing to one that serves and is lesser, nor to itself', async () => {
    const played = await withLive()
    played.round.offer(fakeOf(played, 'websocket'), true)
    played.round.offer(fakeOf(played, 'sse'), true)
    played.round.offer(fakeOf(played, 'websocket'), true)
    expect(played.lives).toEqual(['sse', 'sse > websocket'])
    await callOff(played)
  })
})

describe('better ones are tried again', () => {
  interface Retried extends Play {
    /** Lets the pause end. */
    resume(): Promise<void>
    renewed: number
    /** Whether new credentials can't be had. */
    isUnauthorized: boolean
    pauses: number[]
  }

  function playOn(rank = (): readonly string[] => order): Retried {
    const pauses: number[] = []
    let ended = Promise.withResolvers<void>()
    const played = play({
      rank,
      pause(tries, signal) {
        pauses.push(tries)
        ended = Promise.withResolvers()
        return orAborted(ended.promise, signal)
      },
      async renew() {
        retried.renewed += 1
        if (retried.isUnauthorized) throw new Error('no token')
      }
    })
    const retried: Retried = Object.assign(played, {
      renewed: 0,
      isUnauthorized: false,
      pauses,
      async resume() {
        ended.resolve()
        await pass(1000)
      }
    })
    return retried
  }

  async function onLongPoll(rank?: () => readonly string[]): Promise<Retried> {
    const played = playOn(rank)
    await fakeOf(played, 'websocket').fail('refused')
    await fakeOf(played, 'sse').fail('status')
    played.round.offer(fakeOf(played, 'long-poll'), true)
    await pass(1000)
    played.opened.length = 0
    return played
  }

  test('staggered, best first, with new credentials; and what serves takes over', async () => {
    const played = await onLongPoll()
    await played.resume()
    expect(played.opened).toEqual(['websocket 1000', 'sse 1250'])
    expect(played.renewed).toBe(1)
    played.round.offer(fakeOf(played, 'websocket'), true)
    expect(played.round.live?.transport).toBe('websocket')
    expect(fakeOf(played, 'long-poll').isEnded).toBe(true)
    expect(fakeOf(played, 'sse').isEnded).toBe(true)
    await callOff(played)
  })

  test('after each pause, which is told how often; one that is still under way isn’t opened twice', async () => {
    const played = await onLongPoll()
    await played.resume()
    await fakeOf(played, 'sse').fail()
    await played.resume()
    expect(played.opened.map((each) => each.split(' ')[0])).toEqual(['websocket', 'sse', 'sse'])
    expect(played.pauses).toEqual([0, 1, 2])
    expect(played.end).toBeUndefined()
    await callOff(played)
  })

  test('with those of before where no new credentials can be had: nothing ends', async () => {
    const played = await onLongPoll()
    played.isUnauthorized = true
    await played.resume()
    expect(played.renewed).toBe(1)
    expect(played.opened).toEqual(['websocket 1000', 'sse 1250'])
    expect(played.round.live?.transport).toBe('long-poll')
    expect([played.end, played.error]).toEqual([undefined, undefined])
    await callOff(played)
  })

  test('not where the live one is the best: no token is asked for either', async () => {
    const played = playOn()
    played.round.offer(fakeOf(played, 'websocket'), true)
    await pass(1000)
    await played.resume()
    await played.resume()
    expect(played.opened).toEqual(['websocket 0'])
    expect(played.renewed).toBe(0)
    expect(played.pauses).toEqual([0, 0, 0])
    await callOff(played)
  })

  test('nor while none is live', async () => {
    const played = playOn()
    await pass(1000)
    await fakeOf(played, 'websocket').fail()
    await played.resume()
    expect(played.opened).toHaveLength(4)
    await callOff(played)
  })

  test('by the rank that is valid then', async () => {
    let isDemoted = true
    const played = await onLongPoll(() => (isDemoted ? ['sse', 'long-poll', 'short-poll', 'websocket'] : order))
    await played.resume()
    expect(played.opened).toEqual(['sse 1000'])
    isDemoted = false
    await played.resume()
    expect(played.opened).toEqual(['sse 1000', 'websocket 2000'])
    await callOff(played)
  })
})

test('a live one that is taken out outlasts the round', async () => {
  const played = play()
  const live = fakeOf(played, 'websocket')
  played.round.offer(live, false)
  expect(played.round.contenders.delete(live)).toBe(true)
  await callOff(played)
  expect(live.isEnded).toBe(false)
})

describe('the end', () => {
  test('is the loss of the live link; whatever else is under way is let go', async () => {
    const played = play()
    await pass(300)
    played.round.offer(fakeOf(played, 'sse'), false)
    await fakeOf(played, 'sse').fail('silent')
    expect(played.end).toEqual([])
    expect(played.round.live).toBe(fakeOf(played, 'sse'))
    expect(fakeOf(played, 'websocket').isEnded).toBe(true)
  })

  test('is that nobody has delivered, with how each failed, in the order of their failures', async () => {
    const played = play({ candidates: ['websocket', 'sse'] })
    await pass(250)
    await fakeOf(played, 'sse').fail('status')
    expect(played.end).toBeUndefined()
    await fakeOf(played, 'websocket').fail('mute')
    expect(played.end).toEqual([
      { transport: 'sse', reason: 'status', message: 'sse failed' },
      { transport: 'websocket', reason: 'mute', message: 'websocket failed' }
    ])
    expect(played.round.live).toBeUndefined()
  })

  test('comes only once every candidate has had its try', async () => {
    const played = play({ candidates: ['websocket', 'sse'] })
    await fakeOf(played, 'websocket').fail()
    expect(played.end).toBeUndefined()
    await fakeOf(played, 'sse').fail()
    expect(played.opened).toEqual(['websocket 0', 'sse 0'])
    expect(played.end).toHaveLength(2)
  })

  test('without candidates comes at once', async () => {
    const played = play({ candidates: [] })
    await pass(0)
    expect(played.end).toEqual([])
  })

  test('by an abort rejects with its reason, every link ended, nothing started any more', async () => {
    const played = play()
    await pass(300)
    played.round.offer(fakeOf(played, 'sse'), false)
    const reason = new Error('enough')
    played.controller.abort(reason)
    await pass(0)
    expect(played.error).toBe(reason)
    expect(played.fakes.every(({ isEnded }) => isEnded)).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
    await pass(10_000)
    expect(played.opened).toEqual(['websocket 0', 'sse 250'])
  })

  test('by an abort that came before the beginning', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    controller.abort(reason)
    const played = play({ controller })
    await pass(0)
    expect(played.error).toBe(reason)
    expect(played.opened).toEqual([])
  })

  test('by an abort while a candidate fails starts no other', async () => {
    const played = play()
    void fakeOf(played, 'websocket').fail()
    played.controller.abort(new Error('enough'))
    await pass(10_000)
    expect(played.opened).toEqual(['websocket 0'])
  })

  test('by something that can’t be opened at all rejects with what was thrown', async () => {
    const thrown = new Error('no such transport')
    const played = play({
      open() {
        throw thrown
      }
    })
    await pass(0)
    expect(played.error).toBe(thrown)
  })

  test('aborts its signal, so that nothing that waits for it is left', async () => {
    const played = play({ candidates: ['websocket'] })
    await fakeOf(played, 'websocket').fail()
    expect(played.end).toBeDefined()
    expect(played.controller.signal.aborted).toBe(true)
  })
})
