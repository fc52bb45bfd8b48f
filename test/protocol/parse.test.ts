import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TransportError } from '../../src/errors.ts'
import { parseAnswer, parseError, parseFrame, parseSnapshot, parseText } from '../../src/protocol/parse.ts'

const event = { id: 'mf3k2x-5', seq: 5, job: '42', type: 'progress', time: '2026-11-21T01:02:03.456Z', data: { current: 5, total: 10, ratio: 0.5 } }
const hello = { control: 'hello', protocol: 1, heartbeatMs: 15_000, mux: 128 }
const subscribed = { control: 'subscribed', job: '42', epoch: 'mf3k2x', seq: 4, cursor: 'mf3k2x-4', status: 'running' }
const member = { job: '42', epoch: 'mf3k2x', seq: 4, from: 'mf3k2x-4', cursor: 'mf3k2x-5', status: 'running', done: false }
const answer = { protocol: 1, heartbeatMs: 15_000, mux: 128, pollMs: 2000, more: false, jobs: [member], events: [event] }
const snapshot = { id: '42', status: 'running', epoch: 'mf3k2x', seq: 5, cursor: 'mf3k2x-5' }

/** The error for a malformed frame. */
const malformed = expect.objectContaining({ name: 'TransportError', reason: 'protocol' })

/** Values of every wrong kind. */
const wrongKinds = [true, -1, 1.5, 2 ** 53, [], {}, ['42'], null]

/** Calls it with each field replaced by each wrong kind, except the kinds that this field takes. */
function spoilt<T extends object>(of: T, fields: Partial<Record<keyof T & string, readonly unknown[]>>): [string, unknown, object][] {
  return Object.entries(fields).flatMap(([name, fine]) =>
    [undefined, ...wrongKinds]
      .filter((wrong) => !(fine as unknown[]).includes(wrong))
      .map((wrong): [string, unknown, object] => [name, wrong, { ...of, [name]: wrong }])
  ) // as: Object.entries forgets the value's type
}

describe('an event', () => {
  test('is read as it is', () => {
    expect(parseFrame(event)).toEqual(event)
  })

  test('of a type that nobody knows is delivered', () => {
    expect(parseFrame({ ...event, type: 'app.thumbnail' })).toEqual({ ...event, type: 'app.thumbnail' })
  })

  test('loses the fields that nobody knows', () => {
    expect(parseFrame({ ...event, trace: 'x', __proto__: { admin: true } })).toEqual(event)
  })

  test('without data has null', () => {
    const { data: _, ...bare } = event
    expect(parseFrame(bare)).toEqual({ ...event, data: null })
  })

  test.each(spoilt(event, { id: [], seq: [], job: [], type: [], time: [] }))('with the %s %j is malformed', (name, _, wrong) => {
    expect(() => parseFrame(wrong)).toThrow(malformed)
    expect(() => parseFrame(wrong)).toThrow(`${name}: expected`)
  })

  test.each([
    ['id', 'tail'],
    ['id', ''],
    ['id', 'a b'],
    ['id', 'x'.repeat(129)],
    ['seq', 0],
    ['seq', '5'],
    ['type', 'gap'],
    ['type', 'x'.repeat(65)]
  ])('with the %s %j is malformed', (name, value) => {
    expect(() => parseFrame({ ...event, [name]: value })).toThrow(malformed)
  })

  test('of two megabytes is read whole', () => {
    const data = { text: 'é'.repeat(1_000_000), list: Array.from({ length: 1000 }, (_, index) => index) }
    expect(parseText(JSON.stringify({ ...event, data }))).toEqual([{ ...event, data }])
  })

  test('pollutes no prototype', () => {
    const source = `{"__proto__":{"control":"hello","polluted":1},"constructor":{"prototype":{"polluted":1}},${JSON.stringify({ ...event, data: 0 }).slice(1, -3)}:{"__proto__":{"polluted":1}}}`
    const [parsed] = parseText(source)
    expect(parsed).toMatchObject({ id: event.id, seq: 5 })
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
    expect(Object.keys(parsed ?? {}).sort()).toEqual(Object.keys(event).sort())
    expect(({} as { polluted?: number }).polluted).toBeUndefined() // as: the field must not exist
  })
})

describe('a control', () => {
  test.each([
    hello,
    { control: 'hello', protocol: 1, heartbeatMs: 1 },
    subscribed,
    { ...subscribed, ref: 0 },
    { control: 'done', job: '42', cursor: 'a-1' },
    { control: 'error', status: 401, code: 'unauthorized', message: 'who?' },
    { control: 'error', job: '42', status: 503, code: 'busy', message: '', retryAfterMs: 0 },
    { control: 'bye', reason: 'shutdown', retryMs: 0 },
    { control: 'bye', reason: 'new-in-2030', retryMs: 1000 },
    { control: 'end', more: false },
    { control: 'heartbeat' },
    { control: 'pong' }
  ])('%j is read as it is, without what nobody knows', (control) => {
    expect(parseFrame(control)).toEqual(control)
    expect(parseFrame({ ...control, later: 1 })).toEqual(control)
  })

  test.each([
    [hello, { heartbeatMs: 2 ** 40 }, { heartbeatMs: 2 ** 31 - 1 }],
    [hello, { pollMs: 2 ** 31 }, { pollMs: 2 ** 31 - 1 }],
    [{ control: 'bye', reason: 'slow', retryMs: 1 }, { retryMs: Number.MAX_SAFE_INTEGER }, { retryMs: 2 ** 31 - 1 }],
    [{ control: 'error', status: 503, code: 'busy', message: '' }, { retryAfterMs: 2_592_000_000 }, { retryAfterMs: 2 ** 31 - 1 }]
  ])('%j asks for no more milliseconds than a timer can wait: %j', (control, asked, read) => {
    expect(parseFrame({ ...control, ...asked })).toEqual({ ...control, ...read })
  })

  test('that nobody knows is passed over', () => {
    expect(parseFrame({ control: 'more', job: '42' })).toBeUndefined()
    expect(parseFrame({ control: 'weather', job: 42 })).toBeUndefined()
    expect(parseFrame({ control: 'toString' })).toBeUndefined()
    expect(parseText(JSON.stringify([{ control: 'weather' }, event, { control: '__proto__' }]))).toEqual([event])
  })

  test('may have null where a field is optional', () => {
    expect(parseFrame({ ...hello, mux: null, pollMs: null })).toEqual({ control: 'hello', protocol: 1, heartbeatMs: 15_000 })
    expect(parseFrame({ ...subscribed, ref: null })).toEqual(subscribed)
  })

  test.each([
    ...spoilt(hello, { protocol: [], heartbeatMs: [], mux: [undefined, null] }),
    ...spoilt(subscribed, { job: [], epoch: [], seq: [], cursor: [], status: [] }),
    ...spoilt({ ...subscribed, ref: 1 }, { ref: [undefined, null] }),
    ...spoilt({ control: 'done', job: '42', cursor: 'a-1' }, { job: [], cursor: [] }),
    ...spoilt({ control: 'error', job: '42', status: 401, code: 'x', message: '' }, { job: [undefined, null], status: [], code: [], message: [] }),
    ...spoilt({ control: 'bye', reason: 'slow', retryMs: 1 }, { reason: [], retryMs: [] })
  ])('with the %s %j is malformed', (name, _, wrong) => {
    expect(() => parseFrame(wrong)).toThrow(malformed)
    expect(() => parseFrame(wrong)).toThrow(`${name}: expected`)
  })

  test.each([true, 0, null, {}, []])('that is called %j is malformed', (control) => {
    expect(() => parseFrame({ control })).toThrow(malformed)
  })

  test('at the position tail is malformed: no log has one', () => {
    expect(() => parseFrame({ ...subscribed, cursor: 'tail' })).toThrow(malformed)
  })
})

describe('a text', () => {
  test('holds one frame or several', () => {
    expect(parseText(JSON.stringify(event))).toEqual([event])
    expect(parseText(JSON.stringify([hello, subscribed, event]))).toEqual([hello, subscribed, event])
    expect(parseText('[]')).toEqual([])
  })

  test.each(['', ' ', '{', 'null', '42', '"event"', '[[]]', '[1]', '<html><body>Please log in</body></html>', '{"id":1}', `\u0000`, '{"control":"hello"}'])(
    '%j is malformed, and the error shows how it begins',
    (source) => {
      expect(() => parseText(source)).toThrow(malformed)
      expect(() => parseText(source)).toThrow(`(it begins ${source})`)
    }
  )

  test('that is malformed is quoted without what is to be left out, also where the quotation would cut it', () => {
    const leaveOut = (text: string): string => text.replaceAll('secret', '…')
    for (const source of [`you sent secret`, `${'x'.repeat(76)}secret`, JSON.stringify({ id: 'secret', seq: 'secret' })]) {
      const { message } = thrown(() => parseText(source, leaveOut))
      expect(message).not.toContain('secr')
      expect(message).toContain('…')
    }
    const data = { text: 'secret' }
    expect(parseText(JSON.stringify({ ...event, data }), leaveOut)).toEqual([{ ...event, data }])
  })

  test('that is long and malformed is shown by its first characters only', () => {
    const error = thrown(() => parseText(`<html>${'x'.repeat(2_000_000)}`))
    expect(error.message).toContain('(it begins <html>xxx')
    expect(error.message.length).toBeLessThan(500)
    expect(thrown(() => parseText(JSON.stringify({ ...event, id: 7, data: 'x'.repeat(2_000_000) }))).message.length).toBeLessThan(500)
  })

  test('says what was wrong, without the cause, which may quote a credential that the server gave back', () => {
    const error = thrown(() => parseText('{'))
    expect(error.message).toContain('JSON')
    expect(error.cause).toBeUndefined()
  })

  test('nested beyond what the stack bears is malformed where a frame should be, and data where data may be', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    expect(() => parseText(deep)).toThrow(malformed)
    expect(outcome(() => parseText(`{"id":"a","seq":1,"job":"1","type":"x","time":"","data":${deep}}`))).toMatch(/^(parsed|malformed)$/)
  })
})

describe('a JSON reading', () => {
  test('becomes hello, subscribed, the events, and an end', () => {
    expect(parseAnswer(JSON.stringify(answer))).toEqual([{ ...hello, pollMs: 2000 }, subscribed, event, { control: 'end', more: false }])
  })

  test('ends the job that is done, and the one that failed, after all events', () => {
    const jobs = [
      { ...member, done: true, status: 'succeeded' },
      { job: '43', error: { status: 404, code: 'unknown-job', message: 'no such job' } },
      { ...member, job: '44' }
    ]
    expect(parseAnswer(JSON.stringify({ ...answer, jobs })).slice(1)).toEqual([
      { ...subscribed, status: 'succeeded' },
      { ...subscribed, job: '44' },
      event,
      { control: 'done', job: '42', cursor: 'mf3k2x-5' },
      { control: 'error', job: '43', status: 404, code: 'unknown-job', message: 'no such job' },
      { control: 'end', more: false }
    ])
  })

  test('may leave out mux and pollMs, say more, and hold a job called __proto__', () => {
    const { mux: _, pollMs: __, ...rest } = answer
    const parsed = parseAnswer(JSON.stringify({ ...rest, more: true, jobs: [{ ...member, job: '__proto__' }], events: [] }))
    expect(parsed).toEqual([
      { control: 'hello', protocol: 1, heartbeatMs: 15_000 },
      { ...subscribed, job: '__proto__' },
      { control: 'end', more: true }
    ])
  })

  test.each([
    ...spoilt(answer, { protocol: [], heartbeatMs: [], pollMs: [undefined, null], mux: [undefined, null] }),
    ...['jobs', 'events'].flatMap((name) =>
      [undefined, null, {}, 'x', [1], [null], [[]]].map((wrong): [string, unknown, object] => [name, wrong, { ...answer, [name]: wrong }])
    ),
    ...spoilt(member, { job: [], epoch: [], seq: [], from: [], cursor: [], status: [], done: [true] }).map(([name, wrong, of]): [string, unknown, object] => [
      name,
      wrong,
      { ...answer, jobs: [of] }
    ]),
    ...[true, {}, [], 'x', { status: 404 }, { status: '404', code: 'x', message: '' }, { status: 404, code: 'x' }].map((error): [string, unknown, object] => [
      'error',
      error,
      { ...answer, jobs: [{ job: '1', error }] }
    ])
  ])('with the %s %j is malformed', (_, __, wrong) => {
    expect(() => parseAnswer(JSON.stringify(wrong))).toThrow(malformed)
  })
})

describe('an error', () => {
  test('is read as a control', () => {
    expect(parseError({ type: 'about:blank', status: 403, code: 'forbidden', message: 'a', later: 1 })).toEqual({
      control: 'error',
      status: 403,
      code: 'forbidden',
      message: 'a'
    })
  })

  test.each([{}, [], { status: 403, code: 'x' }, { code: 'x', message: '' }, { status: 403, code: 'x', message: '', retryAfterMs: -1 }])(
    '%j is none',
    (value) => {
      expect(() => parseError(value)).toThrow(malformed)
    }
  )
})

describe('a snapshot', () => {
  test.each([snapshot, { ...snapshot, seq: 0, status: 'queued' }, { ...snapshot, progress: { ratio: 0.5 }, result: null, error: { code: 'x' } }])(
    '%j is read as it is',
    (value) => {
      expect(parseSnapshot(JSON.stringify({ ...value, later: 1 }))).toEqual(value)
    }
  )

  test.each([...spoilt(snapshot, { id: [], status: [], epoch: [], seq: [], cursor: [] })])('with the %s %j is malformed', (_, __, wrong) => {
    expect(() => parseSnapshot(JSON.stringify(wrong))).toThrow(malformed)
  })
})

/** The error that a call throws; a different error where it throws none. */
function thrown(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}

/** How a call ends: with a result, or a failure `protocol`; nothing else is allowed. */
function outcome(call: () => unknown): 'parsed' | 'malformed' {
  try {
    call()
    return 'parsed'
  } catch (error) {
    if (error instanceof TransportError && error.reason === 'protocol') return 'malformed'
    throw error
  }
}

describe('whatever a server sends', () => {
  /** JSON that looks like the protocol's, with anything in its fields. */
  const names = [
    'control',
    'id',
    'seq',
    'job',
    'type',
    'time',
    'data',
    'epoch',
    'cursor',
    'from',
    'status',
    'done',
    'error',
    'events',
    'jobs',
    'more',
    'protocol',
    'heartbeatMs'
  ]
  const words = ['hello', 'subscribed', 'done', 'error', 'bye', 'heartbeat', 'running', 'mf3k2x-5', '42', 'tail', '__proto__']
  const anything = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(...words, 0, 1, 15_000, true, null),
      fc.jsonValue(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), tie('value'), { maxKeys: 8 })
    )
  })).value

  test.each([
    ['parseText', parseText],
    ['parseAnswer', parseAnswer],
    ['parseSnapshot', parseSnapshot]
  ])('%s takes it or calls it malformed', (_, parse) => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything.map((value) => JSON.stringify(value)),
          fc.string({ unit: 'binary' })
        ),
        (source) => {
          outcome(() => parse(source))
        }
      ),
      { numRuns: 2000 }
    )
  })

  test('any right event comes through unchanged, alone or among others', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9._:~-]{1,128}$/).filter((text) => text !== 'tail')
    const type = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).filter((text) => text !== 'gap')
    const right = fc.record({
      id,
      seq: fc.nat().map((seq) => seq + 1),
      job: fc.stringMatching(/^[a-z]{1,9}$/).filter((job) => job !== 'events'),
      type,
      time: fc.string(),
      data: fc.jsonValue()
    })
    fc.assert(
      fc.property(fc.array(right, { maxLength: 5 }), (events) => {
        const sent = JSON.stringify(events)
        expect(parseText(sent)).toEqual(JSON.parse(sent))
      })
    )
  })

  test('an event with one field spoilt is malformed, or that field may hold this', () => {
    fc.assert(
      fc.property(fc.constantFrom('id', 'seq', 'job', 'type', 'time'), fc.jsonValue(), (name, value) => {
        const source = JSON.stringify({ ...event, [name]: value })
        if (outcome(() => parseText(source)) === 'parsed') expect(typeof value).toBe(name === 'seq' ? 'number' : 'string')
      })
    )
  })
})
