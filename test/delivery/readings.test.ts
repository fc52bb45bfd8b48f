import { describe, expect, test } from 'vitest'
import { createReadings } from '../../src/delivery/readings.ts'
import type { Position } from '../../src/policy/position.ts'
import type { Done, More, Subscribed, WireEvent } from '../../src/protocol/frames.ts'
import type { OpenRequest } from '../../src/types.ts'
import { event, type Recorder, record, subscribed } from './recorder.ts'

type Wants = readonly Recorder[]

const wants = (...readers: Recorder[]): Wants => readers

/** The readings of a link, with each call told who is active from then on. */
interface Readings {
  join(active: Wants): void
  differs(active: Wants): boolean
  ask(active: Wants): OpenRequest['jobs']
  serves(active: Wants): boolean
  subscribed(told: Subscribed, active: Wants): void
  event(event: WireEvent): void
  /** To whom it was told. */
  done(told: Done, active: Wants): Recorder[]
  more(told: More): void
  jobs(): string[]
  drop(job: string): Position | undefined
}

function create(): Readings {
  let active: Wants = []
  const readings = createReadings((id) => active.filter(({ job }) => job === id))
  const jobsOf = (readers: Wants): string[] => {
    active = readers
    return [...new Set(readers.map(({ job }) => job))]
  }
  return {
    ...readings,
    join(readers) {
      active = readers
      readings.join()
    },
    differs: (readers) => readings.differs(jobsOf(readers)),
    ask: (readers) => readings.ask(jobsOf(readers)),
    serves: (readers) => readings.serves(jobsOf(readers)),
    subscribed(told, readers) {
      active = readers
      readings.subscribed(told)
    },
    done(told, readers) {
      active = readers
      readings.done(told)
      return readers.filter(({ heard }) => heard.at(-1) === 'done')
    }
  }
}

/** A link on which these readers of job 1 take part in one reading of epoch `a`, begun at `seq`. */
function reading(seq: number, ...readers: Recorder[]): Readings {
  const readings = create()
  readings.ask(wants(...readers))
  readings.subscribed(subscribed('1', 'a', seq), readers)
  return readings
}

const push = (readings: Readings, ...seqs: number[]): void => {
  for (const seq of seqs) readings.event(event('1', 'a', seq))
}

/** What a reader heard, but for the status at each `subscribed`. */
const events = ({ heard }: Recorder): string[] => heard.filter((each) => each !== 'running')

describe('ask', () => {
  test('lists each job with the cursor of its reader, each asking with a ref of its own', () => {
    const readings = create()
    expect(readings.ask(wants(record('1'), record('2', 'a-4'), record('3', 'tail')))).toEqual([
      { job: '1', ref: 1 },
      { job: '2', ref: 2, after: 'a-4' },
      { job: '3', ref: 3, after: 'tail' }
    ])
    expect(readings.jobs()).toEqual(['1', '2', '3'])
  })

  test('repeats what it asked for until that changes', () => {
    const [one, two] = [record('1'), record('2')]
    const readings = create()
    const first = readings.ask(wants(one))
    expect(readings.ask(wants(one))).toEqual(first)
    expect(readings.ask(wants(one, two))).toEqual([...first, { job: '2', ref: 2 }])
    readings.subscribed(subscribed('1', 'a', 0, 1), [one])
    push(readings, 1)
    expect(readings.ask(wants(one))).toEqual(first)
  })

  test('leaves out a job that nobody wants any more', () => {
    const readings = create()
    const [one, two] = [record('1'), record('2')]
    readings.ask(wants(one, two))
    expect(readings.differs(wants(two))).toBe(true)
    expect(readings.ask(wants(two))).toEqual([{ job: '2', ref: 2 }])
    expect(readings.differs(wants(two))).toBe(false)
  })

  test('is for the reader who is furthest back, first for those whose place isn’t known', () => {
    const [back, front, unknown] = [record('1'), record('1'), record('1', 'b-1')]
    const readings = create()
    back.position = { epoch: 'a', seq: 2, cursor: 'a-2', left: [] }
    front.position = { epoch: 'a', seq: 7, cursor: 'a-7', left: [] }
    expect(readings.ask(wants(front, back))).toEqual([{ job: '1', ref: 1, after: 'a-2' }])
    expect(create().ask(wants(front, unknown, back))).toEqual([{ job: '1', ref: 1, after: 'b-1' }])
  })

  test('is for nobody who is behind: where there is more than a link brings, or can bring', () => {
    const [reader] = [record('1')]
    const readings = reading(0, reader)
    expect(() => readings.more({ control: 'more', job: '1' })).toThrow('more, but nothing has come')
    readings.event(event('1', 'a', 1))
    readings.more({ control: 'more', job: '2' })
    expect(reader.behind).toBe(false)
    readings.more({ control: 'more', job: '1' })
    expect(reader.behind).toBe(true)
    readings.event(event('1', 'a', 2))
    expect(reader.position.seq).toBe(1)
    expect(readings.jobs()).toEqual([])
  })

  test('is for either of two epochs as often, however many readers each has', () => {
    const at = (epoch: string): Recorder => Object.assign(record('1'), { position: { epoch, seq: 1, cursor: `${epoch}-1`, left: [] } })
    const readers = wants(at('a'), ...Array.from({ length: 10 }, () => at('b')))
    const asked = Array.from({ length: 100 }, () => create().ask(readers)[0]?.after)
    // By readers it would be less than once in a thousand; by epochs it is less than 20 times of 100 once in a hundred million times.
    expect(asked.filter((after) => after === 'a-1').length).toBeGreaterThan(20)
  })

  test('asks anew where a reader that came later is behind, one asking at a time', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first)
    push(readings, 1, 2)
    expect(readings.ask(wants(first, second))).toEqual([{ job: '1', ref: 2 }])
    expect(readings.differs(wants(first, second, record('1', 'a-1')))).toBe(false)
  })
})

describe('serves', () => {
  test('only once every reader of every job takes part', () => {
    const [one, two] = [record('1'), record('2')]
    const all = wants(one, two)
    const readings = create()
    expect(readings.serves(all)).toBe(false)
    readings.ask(all)
    readings.subscribed(subscribed('1', 'a', 0), [one])
    expect(readings.serves(all)).toBe(false)
    readings.subscribed(subscribed('2', 'b', 0), [two])
    expect(readings.serves(all)).toBe(true)
    expect(readings.differs(all)).toBe(false)
  })

  test('not while another asking is open, nor for a reader that has to be asked for', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first)
    push(readings, 1)
    expect(readings.serves(wants(first, second))).toBe(false)
    readings.ask(wants(first, second))
    expect(readings.serves(wants(first))).toBe(false)
  })
})

describe('frames', () => {
  test('before `subscribed` are nobody’s', () => {
    const one = record('1')
    const readings = create()
    push(readings, 1)
    readings.ask(wants(one))
    push(readings, 1)
    expect(one.heard).toEqual([])
    expect(one.position.cursor).toBeUndefined()
  })

  test('of a job that was not asked for are passed over', () => {
    const one = record('1')
    const readings = reading(0, one)
    readings.subscribed(subscribed('2', 'b', 0), [])
    readings.event(event('2', 'b', 7))
    expect(readings.jobs()).toEqual(['1'])
  })

  test('move the position of those that they are for', () => {
    const one = record('1')
    push(reading(0, one), 1, 2)
    expect(one.heard).toEqual(['running', 'a-1', 'a-2'])
    expect(one.position).toEqual({ epoch: 'a', seq: 2, cursor: 'a-2', left: [] })
  })

  test.each([
    ['a hole', 3],
    ['a repetition', 1],
    ['a step back', 0]
  ])('with %s in their numbers break the protocol', (_, seq) => {
    const one = record('1')
    const readings = reading(0, one)
    push(readings, 1)
    expect(() => push(readings, seq)).toThrow(expect.objectContaining({ reason: 'protocol', message: `event a-${seq} of job 1: expected seq 2, got ${seq}` }))
    expect(events(one)).toEqual(['a-1'])
  })

  test('belong to the old reading until the new one is answered', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first)
    push(readings, 1, 2)
    readings.ask(wants(first, second))
    push(readings, 3)
    expect([events(first), events(second)]).toEqual([['a-1', 'a-2', 'a-3'], []])
    readings.subscribed(subscribed('1', 'a', 0, 2), [first, second])
    push(readings, 1, 2, 3, 4)
    expect(events(first)).toEqual(['a-1', 'a-2', 'a-3', 'a-4'])
    expect(events(second)).toEqual(['a-1', 'a-2', 'a-3', 'a-4'])
  })

  test('of an asking that was given up are nobody’s, also where its answer bears no ref', () => {
    const [first, second] = [record('1'), record('1', 'a-2')]
    const readings = create()
    readings.ask(wants(first)) // in the URL: a server's answer to that has no ref
    readings.ask(wants())
    readings.ask(wants(second))
    readings.subscribed(subscribed('1', 'a', 0), [second])
    push(readings, 1)
    expect(second.heard).toEqual([])
    readings.subscribed(subscribed('1', 'a', 2, 2), [second])
    push(readings, 3)
    expect(events(second)).toEqual(['a-3'])
  })

  test('of an answer to another ref are nobody’s', () => {
    const one = record('1')
    const readings = create()
    readings.ask(wants(one))
    readings.subscribed(subscribed('1', 'a', 0, 9), [one])
    push(readings, 1)
    expect(one.heard).toEqual([])
  })
})

describe('two readers of a job', () => {
  test('at different places share one reading, and each drops what it has had', () => {
    const [back, front] = [record('1'), record('1')]
    front.position = { epoch: 'a', seq: 2, cursor: 'a-2', left: [] }
    const readings = reading(0, back, front)
    push(readings, 1, 2, 3)
    expect(events(back)).toEqual(['a-1', 'a-2', 'a-3'])
    expect(events(front)).toEqual(['a-3'])
  })

  test('with cursors that say nothing of their places are asked for one after the other', () => {
    const [front, back] = [record('1', 'a-7'), record('1', 'a-2')]
    const readings = create()
    const both = wants(front, back)
    expect(readings.ask(both)).toEqual([{ job: '1', ref: 1, after: 'a-7' }])
    readings.subscribed(subscribed('1', 'a', 7, 1), [front, back])
    expect(readings.ask(both)).toEqual([{ job: '1', ref: 2, after: 'a-2' }])
    readings.subscribed(subscribed('1', 'a', 2, 2), [front, back])
    expect(readings.serves(both)).toBe(true)
    push(readings, 3, 4, 5, 6, 7, 8)
    expect(events(front)).toEqual(['a-8'])
    expect(events(back)).toEqual(['a-3', 'a-4', 'a-5', 'a-6', 'a-7', 'a-8'])
  })

  test('a tail beside one that has a place: neither takes the other’s reading for its own', () => {
    const [reader, tail] = [record('1'), record('1', 'tail')]
    const readings = reading(0, reader)
    push(readings, 1)
    readings.join(wants(reader, tail))
    expect(readings.ask(wants(reader, tail))).toEqual([{ job: '1', ref: 2, after: 'tail' }])
    readings.subscribed(subscribed('1', 'a', 3, 2), [reader, tail])
    expect(readings.serves(wants(reader, tail))).toBe(false)
    expect(readings.ask(wants(reader, tail))).toEqual([{ job: '1', ref: 3, after: 'a-1' }])
    readings.subscribed(subscribed('1', 'a', 1, 3), [reader, tail])
    push(readings, 2, 3, 4)
    expect(events(reader)).toEqual(['a-1', 'a-2', 'a-3', 'a-4'])
    expect(events(tail)).toEqual(['a-4'])
  })

  test('a tail asked for twice loses nothing', () => {
    const tail = record('1', 'tail')
    const [first, second] = [create(), create()]
    first.ask(wants(tail))
    second.ask(wants(tail))
    first.subscribed(subscribed('1', 'a', 3), [tail])
    second.subscribed(subscribed('1', 'a', 5), [tail])
    second.event(event('1', 'a', 6))
    push(first, 4, 5, 6)
    expect(events(tail)).toEqual(['a-4', 'a-5', 'a-6'])
    expect(second.serves(wants(tail))).toBe(true) // it is where the reader is, however it came there
    push(second, 7)
    push(first, 7)
    expect(events(tail)).toEqual(['a-4', 'a-5', 'a-6', 'a-7'])
  })
})

describe('join', () => {
  test('takes in a reader that asks for the very place', () => {
    const [first, second] = [record('1'), record('1', 'a-2')]
    const readings = reading(0, first)
    push(readings, 1, 2)
    readings.join(wants(first, second))
    expect(readings.differs(wants(first, second))).toBe(false)
    push(readings, 3)
    expect(events(second)).toEqual(['a-3'])
  })

  test('lets go of one that has left', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first, second)
    readings.join(wants(second))
    push(readings, 1)
    expect([events(first), events(second)]).toEqual([[], ['a-1']])
  })

  test('lets go of the last one too, before anything else is asked for', () => {
    const one = record('1')
    const readings = reading(0, one)
    readings.join(wants())
    push(readings, 1)
    expect(events(one)).toEqual([])
  })

  test('takes one that was paused back where nothing has passed meanwhile; else it is asked for anew', () => {
    const one = record('1')
    const readings = reading(0, one)
    readings.join(wants())
    readings.join(wants(one))
    expect(readings.serves(wants(one))).toBe(true)
    push(readings, 1)
    readings.join(wants())
    push(readings, 2)
    readings.join(wants(one))
    expect(readings.serves(wants(one))).toBe(false)
    expect(readings.ask(wants(one))).toEqual([{ job: '1', ref: 2, after: 'a-1' }])
    readings.subscribed(subscribed('1', 'a', 1, 2), [one])
    push(readings, 2, 3)
    expect(events(one)).toEqual(['a-1', 'a-2', 'a-3'])
  })
})

describe('subscribed anew, without a ref', () => {
  test('where the log was trimmed under the reading: a gap of what lies between', () => {
    const one = record('1')
    const readings = reading(0, one)
    push(readings, 1)
    readings.subscribed(subscribed('1', 'a', 4), [one])
    push(readings, 5)
    expect(events(one)).toEqual(['a-1', 'gap of 3 after a-1: retention', 'a-5'])
  })

  test('where the log was replaced: a gap of unknown size', () => {
    const one = record('1')
    const readings = reading(0, one)
    push(readings, 1)
    readings.subscribed(subscribed('1', 'b', 0), [one])
    readings.event(event('1', 'b', 1))
    expect(events(one)).toEqual(['a-1', 'gap of undefined after a-1: epoch', 'b-1'])
  })

  test('from further back: nothing that a reader holds the cursor of is had again', () => {
    const [first, later] = [record('1'), record('1', 'a-2')]
    const readings = reading(0, first)
    readings.join(wants(first, later))
    push(readings, 1, 2)
    readings.subscribed(subscribed('1', 'a', 1), [first, later])
    push(readings, 2, 3)
    expect(events(first)).toEqual(['a-1', 'a-2', 'a-3'])
    expect(events(later)).toEqual(['a-3'])
  })

  test('is no gap to a reader further on, nor to one that was never its own', () => {
    const [first, further, behind] = [record('1'), record('1'), record('1')]
    further.position = { epoch: 'a', seq: 9, cursor: 'a-9', left: [] }
    const readings = reading(0, first, further)
    push(readings, 1)
    readings.subscribed(subscribed('1', 'a', 4), [first, further, behind])
    expect(events(further)).toEqual([])
    expect(behind.heard).toEqual([])
    expect(readings.serves(wants(first, further))).toBe(true)
    expect(readings.differs(wants(first, further, behind))).toBe(true)
  })

  test('lets go of a reader that is not active: it would miss what lies between', () => {
    const one = record('1')
    const readings = reading(0, one)
    readings.subscribed(subscribed('1', 'a', 4), [])
    expect(readings.serves(wants(one))).toBe(false)
    expect(readings.ask(wants(one))).toEqual([{ job: '1', ref: 2, after: 'a-0' }])
  })

  test('with every answer of a poll changes nothing', () => {
    const one = record('1')
    const readings = reading(0, one)
    push(readings, 1)
    readings.subscribed(subscribed('1', 'a', 1), [one])
    push(readings, 2)
    expect(one.heard).toEqual(['running', 'a-1', 'running', 'a-2'])
  })

  test('while another asking is open says nothing of that one', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first)
    push(readings, 1)
    readings.ask(wants(first, second))
    readings.subscribed(subscribed('1', 'a', 1), [first, second])
    push(readings, 2)
    expect(readings.serves(wants(first))).toBe(false)
    expect([events(first), second.heard]).toEqual([['a-1', 'a-2'], []])
  })
})

describe('an epoch that was left', () => {
  const left = (): Recorder => Object.assign(record('1'), { position: { epoch: 'b', seq: 1, cursor: 'b-1', left: ['a'] } })

  test('is not read on another link', () => {
    const one = record('1')
    const readings = reading(0, one)
    push(readings, 1)
    one.position = left().position
    push(readings, 2)
    readings.subscribed(subscribed('1', 'a', 2), [one])
    push(readings, 3)
    expect(events(one)).toEqual(['a-1'])
    expect(readings.serves(wants(one))).toBe(false)
  })

  test('as the answer to the reader’s own question breaks the protocol: it would be so for ever', () => {
    const one = left()
    const readings = create()
    readings.ask(wants(one))
    expect(() => readings.subscribed(subscribed('1', 'a', 0), [one])).toThrow(
      expect.objectContaining({ reason: 'protocol', message: 'job 1: subscribed in epoch a, which b has replaced' })
    )
  })

  test('is no break where the reader has only moved since it was asked for', () => {
    const one = record('1', 'a-1')
    const readings = create()
    readings.ask(wants(one))
    one.position = left().position
    readings.subscribed(subscribed('1', 'a', 1), [one])
    expect(one.heard).toEqual([])
    expect(readings.ask(wants(one))).toEqual([{ job: '1', ref: 2, after: 'b-1' }])
  })
})

describe('done', () => {
  const done = (cursor: string) => ({ control: 'done', job: '1', cursor }) as const

  test('is for those who have read to the end', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first, second)
    push(readings, 1)
    expect(readings.done(done('a-1'), [first, second])).toEqual([first, second])
    expect(readings.jobs()).toEqual([])
  })

  test('is not for one that has left, nor for one in another epoch', () => {
    const [first, gone, elsewhere] = [record('1'), record('1'), record('1')]
    const readings = reading(0, first, gone, elsewhere)
    push(readings, 1)
    elsewhere.position = { epoch: 'b', seq: 1, cursor: 'b-1', left: ['a'] }
    expect(readings.done(done('a-1'), [first, elsewhere])).toEqual([first])
  })

  test('may be all the answer there is: to a cursor at the end', () => {
    const one = record('1', 'a-7')
    const readings = create()
    readings.ask(wants(one))
    expect(readings.done(done('a-7'), [one])).toEqual([one])
  })

  test('elsewhere than at the end of what was read breaks the protocol', () => {
    const one = record('1')
    const readings = reading(0, one)
    push(readings, 1)
    expect(() => readings.done(done('a-2'), [one])).toThrow(
      expect.objectContaining({ reason: 'protocol', message: 'job 1: done at a-2, but what was read ends at a-1' })
    )
  })

  test('of a job that is not read is passed over', () => expect(create().done(done('a-1'), [])).toEqual([]))

  test('of a reading that was given up is not the end of what was asked for since', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first)
    readings.ask(wants())
    readings.ask(wants(second))
    push(readings, 1)
    expect(readings.done(done('a-1'), [second])).toEqual([])
    readings.subscribed(subscribed('1', 'a', 0, 2), [second])
    push(readings, 1)
    expect(readings.done(done('a-1'), [second])).toEqual([second])
  })

  test('belongs to the old reading while another asking is open', () => {
    const [first, second] = [record('1'), record('1')]
    const readings = reading(0, first)
    push(readings, 1)
    readings.ask(wants(first, second))
    expect(readings.done(done('a-1'), [first, second])).toEqual([first])
    readings.subscribed(subscribed('1', 'a', 0, 2), [second])
    push(readings, 1)
    expect(events(second)).toEqual(['a-1'])
    expect(readings.done(done('a-1'), [second])).toEqual([second])
  })
})

describe('drop', () => {
  test('forgets the job, and tells from where it was asked for', () => {
    const [one, two] = [record('1', 'a-4'), record('2')]
    const readings = create()
    readings.ask(wants(one, two))
    expect(readings.drop('1')?.cursor).toBe('a-4')
    expect(readings.jobs()).toEqual(['2'])
    expect(readings.drop('1')).toBeUndefined()
    expect(readings.differs(wants(one, two))).toBe(true)
  })

  test('tells of the asking that is open, if there is one', () => {
    const [first, second] = [record('1', 'a-4'), record('1', 'a-2')]
    const readings = create()
    readings.ask(wants(first))
    readings.subscribed(subscribed('1', 'a', 4), [first])
    readings.ask(wants(first, second))
    expect(readings.drop('1')?.cursor).toBe('a-2')
  })
})
