import { describe, expect, test } from 'vitest'
import { createLinkJobs } from '../../src/delivery/link-jobs.ts'
import type { Done, Subscribed, WireEvent } from '../../src/protocol/frames.ts'
import type { OpenRequest, Position } from '../../src/types.ts'
import { event, type Recorder, record, subscribed } from './recorder.ts'

type Wants = readonly Recorder[]

const wants = (...readers: Recorder[]): Wants => readers

/** The jobs of a link. Each call says which readers are active from then on. */
interface Jobs {
  readonly newEvents: number
  readonly full: Set<unknown>
  join(active: Wants): void
  needsUpdate(active: Wants): boolean
  request(active: Wants): OpenRequest['jobs']
  coversAll(active: Wants): boolean
  /** By default: the answer to a fresh request, on a link that does not poll. */
  subscribed(told: Subscribed, active: Wants, isFresh?: boolean, isPolled?: boolean): boolean
  event(event: WireEvent, bytes?: number): void
  /** Returns the readers that were told. */
  done(told: Done, active: Wants): Recorder[]
  jobs(): string[]
  remove(job: string): Position | undefined
}

function create(): Jobs {
  let active: Wants = []
  const linkJobs = createLinkJobs((id) => active.filter(({ job }) => job === id))
  const jobsOf = (readers: Wants): string[] => {
    active = readers
    return [...new Set(readers.map(({ job }) => job))]
  }
  return {
    get newEvents() {
      return linkJobs.newEvents
    },
    full: linkJobs.full,
    jobs: linkJobs.jobs,
    remove: linkJobs.remove,
    event: (told, bytes) => linkJobs.event(told, bytes),
    join(readers) {
      active = readers
      linkJobs.join()
    },
    needsUpdate: (readers) => linkJobs.needsUpdate(jobsOf(readers)),
    request: (readers) => linkJobs.requestJobs(jobsOf(readers)),
    coversAll: (readers) => linkJobs.coversAll(jobsOf(readers)),
    subscribed(told, readers, isFresh = true, isPolled = false) {
      active = readers
      return linkJobs.subscribed(told, isFresh, isPolled)
    },
    done(told, readers) {
      active = readers
      linkJobs.done(told)
      return readers.filter(({ heard }) => heard.at(-1) === 'done')
    }
  }
}

/** The jobs of a link that was requested for these readers of job 1, and begins at `seq` of epoch `a`. */
function begun(seq: number, ...readers: Recorder[]): Jobs {
  const jobs = create()
  jobs.request(wants(...readers))
  jobs.subscribed(subscribed('1', 'a', seq), readers)
  return jobs
}

const push = (jobs: Jobs, ...seqs: number[]): void => {
  for (const seq of seqs) jobs.event(event('1', 'a', seq))
}

/** What a reader got, without the status of each `subscribed`. */
const events = ({ heard }: Recorder): string[] => heard.filter((each) => each !== 'running')

describe('ask', () => {
  test('lists each job with the cursor of its reader, each asking with a ref of its own', () => {
    const jobs = create()
    expect(jobs.request(wants(record('1'), record('2', 'a-4'), record('3', 'tail')))).toEqual([
      { job: '1', ref: 1 },
      { job: '2', ref: 2, after: 'a-4' },
      { job: '3', ref: 3, after: 'tail' }
    ])
    expect(jobs.jobs()).toEqual(['1', '2', '3'])
  })

  test('repeats what it asked for until that changes', () => {
    const [one, two] = [record('1'), record('2')]
    const jobs = create()
    const first = jobs.request(wants(one))
    expect(jobs.request(wants(one))).toEqual(first)
    expect(jobs.request(wants(one, two))).toEqual([...first, { job: '2', ref: 2 }])
    jobs.subscribed(subscribed('1', 'a', 0, 1), [one])
    push(jobs, 1)
    expect(jobs.request(wants(one))).toEqual(first)
  })

  test('leaves out a job that nobody wants any more', () => {
    const jobs = create()
    const [one, two] = [record('1'), record('2')]
    jobs.request(wants(one, two))
    expect(jobs.needsUpdate(wants(two))).toBe(true)
    expect(jobs.request(wants(two))).toEqual([{ job: '2', ref: 2 }])
    expect(jobs.needsUpdate(wants(two))).toBe(false)
  })

  test('is for the reader who is furthest back, first for those whose place isn’t known', () => {
    const [back, front, unknown] = [record('1'), record('1'), record('1', 'b-1')]
    const jobs = create()
    back.position = { epoch: 'a', seq: 2, cursor: 'a-2', left: [] }
    front.position = { epoch: 'a', seq: 7, cursor: 'a-7', left: [] }
    expect(jobs.request(wants(front, back))).toEqual([{ job: '1', ref: 1, epoch: 'a', seq: 2, after: 'a-2' }])
    expect(create().request(wants(front, unknown, back))).toEqual([{ job: '1', ref: 1, after: 'b-1' }])
  })

  test('is for either of two epochs as often, however many readers each has', () => {
    const at = (epoch: string): Recorder => Object.assign(record('1'), { position: { epoch, seq: 1, cursor: `${epoch}-1`, left: [] } })
    const readers = wants(at('a'), ...Array.from({ length: 10 }, () => at('b')))
    const asked = Array.from({ length: 100 }, () => create().request(readers)[0]?.after)
    // A choice by readers would give less than one in a thousand. A choice by epochs gives fewer than 20 of 100 once in a hundred million
    // times.
    expect(asked.filter((after) => after === 'a-1').length).toBeGreaterThan(20)
  })

  test('asks anew where a reader that came later is behind, one asking at a time', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first)
    push(jobs, 1, 2)
    expect(jobs.request(wants(first, second))).toEqual([{ job: '1', ref: 2 }])
    expect(jobs.needsUpdate(wants(first, second, record('1', 'a-1')))).toBe(false)
  })
})

describe('covers all', () => {
  test('only once every reader of every job takes part', () => {
    const [one, two] = [record('1'), record('2')]
    const all = wants(one, two)
    const jobs = create()
    expect(jobs.coversAll(all)).toBe(false)
    jobs.request(all)
    jobs.subscribed(subscribed('1', 'a', 0), [one])
    expect(jobs.coversAll(all)).toBe(false)
    jobs.subscribed(subscribed('2', 'b', 0), [two])
    expect(jobs.coversAll(all)).toBe(true)
    expect(jobs.needsUpdate(all)).toBe(false)
  })

  test('not while another asking is open, nor for a reader that has to be asked for', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first)
    push(jobs, 1)
    expect(jobs.coversAll(wants(first, second))).toBe(false)
    jobs.request(wants(first, second))
    expect(jobs.coversAll(wants(first))).toBe(false)
  })
})

describe('frames', () => {
  test('before `subscribed` are nobody’s', () => {
    const one = record('1')
    const jobs = create()
    push(jobs, 1)
    jobs.request(wants(one))
    push(jobs, 1)
    expect(one.heard).toEqual([])
    expect(one.position.cursor).toBeUndefined()
  })

  test('of a job that was not asked for are passed over', () => {
    const one = record('1')
    const jobs = begun(0, one)
    jobs.subscribed(subscribed('2', 'b', 0), [])
    jobs.event(event('2', 'b', 7))
    expect(jobs.jobs()).toEqual(['1'])
  })

  test('move the position of those that they are for', () => {
    const one = record('1')
    push(begun(0, one), 1, 2)
    expect(one.heard).toEqual(['running', 'a-1', 'a-2'])
    expect(one.position).toEqual({ epoch: 'a', seq: 2, cursor: 'a-2', left: [] })
  })

  test('with a hole in their numbers break the protocol', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1)
    expect(() => push(jobs, 3)).toThrow(expect.objectContaining({ reason: 'protocol', message: 'event a-3 of job 1: expected seq 2, got 3' }))
    expect(events(one)).toEqual(['a-1'])
  })

  test.each([
    ['a repetition', 2],
    ['a step back', 1],
    ['what was before the beginning', 0]
  ])('with %s are dropped in silence: no news, no break, and what follows is the next one', (_, seq) => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1, 2)
    const { position } = one
    push(jobs, seq, seq)
    expect(one.position).toBe(position)
    expect(jobs.newEvents).toBe(2)
    push(jobs, 3)
    expect(events(one)).toEqual(['a-1', 'a-2', 'a-3'])
  })

  test('are news only where a reader has not had them', () => {
    const one = record('1')
    one.position = { epoch: 'a', seq: 2, cursor: 'a-2', left: [] }
    const jobs = begun(0, one)
    push(jobs, 1, 2)
    expect(jobs.newEvents).toBe(0)
    push(jobs, 3)
    expect(jobs.newEvents).toBe(1)
  })

  test('take as much memory as their text, or as is estimated', () => {
    const one = record('1')
    const jobs = begun(0, one)
    jobs.event(event('1', 'a', 1), 120)
    jobs.event({ ...event('1', 'a', 2), data: 'x'.repeat(1000) })
    expect(one.events.map(({ bytes }) => bytes)).toEqual([120, expect.toSatisfy((bytes: number) => bytes > 1000 && bytes < 4000)])
  })

  test('belong to the old reading until the new one is answered', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first)
    push(jobs, 1, 2)
    jobs.request(wants(first, second))
    push(jobs, 3)
    expect([events(first), events(second)]).toEqual([['a-1', 'a-2', 'a-3'], []])
    jobs.subscribed(subscribed('1', 'a', 0, 2), [first, second])
    push(jobs, 1, 2, 3, 4)
    expect(events(first)).toEqual(['a-1', 'a-2', 'a-3', 'a-4'])
    expect(events(second)).toEqual(['a-1', 'a-2', 'a-3', 'a-4'])
  })

  test('of an asking that was given up are nobody’s, also where its answer bears no ref', () => {
    const [first, second] = [record('1'), record('1', 'a-2')]
    const jobs = create()
    jobs.request(wants(first)) // in the URL: the server's answer has no ref
    jobs.request(wants())
    jobs.request(wants(second))
    jobs.subscribed(subscribed('1', 'a', 0), [second])
    push(jobs, 1)
    expect(second.heard).toEqual([])
    jobs.subscribed(subscribed('1', 'a', 2, 2), [second])
    push(jobs, 3)
    expect(events(second)).toEqual(['a-3'])
  })

  test('of an answer to another ref are nobody’s', () => {
    const one = record('1')
    const jobs = create()
    jobs.request(wants(one))
    jobs.subscribed(subscribed('1', 'a', 0, 9), [one])
    push(jobs, 1)
    expect(one.heard).toEqual([])
  })
})

test('progress has its ratio, whoever the server is', () => {
  const jobs = create()
  const reader = record('1')
  jobs.request(wants(reader))
  jobs.subscribed(subscribed('1', 'a', 0), wants(reader))
  jobs.event({ ...event('1', 'a', 1), type: 'progress', data: Object.freeze({ current: 1, total: 4 }) })
  expect(reader.events[0]?.event.data).toEqual({ current: 1, total: 4, ratio: 0.25 })
})

test('progress without data is an object without fields: a page reads fields of it', () => {
  const jobs = create()
  const reader = record('1')
  jobs.request(wants(reader))
  jobs.subscribed(subscribed('1', 'a', 0), wants(reader))
  jobs.event({ ...event('1', 'a', 1), type: 'progress', data: null })
  expect(reader.events[0]?.event.data).toEqual({})
})

describe('two readers of a job', () => {
  test('at different places share one reading, and each drops what it has had', () => {
    const [back, front] = [record('1'), record('1')]
    front.position = { epoch: 'a', seq: 2, cursor: 'a-2', left: [] }
    const jobs = begun(0, back, front)
    push(jobs, 1, 2, 3)
    expect(events(back)).toEqual(['a-1', 'a-2', 'a-3'])
    expect(events(front)).toEqual(['a-3'])
  })

  test('with cursors that say nothing of their places are asked for one after the other', () => {
    const [front, back] = [record('1', 'a-7'), record('1', 'a-2')]
    const jobs = create()
    const both = wants(front, back)
    expect(jobs.request(both)).toEqual([{ job: '1', ref: 1, after: 'a-7' }])
    jobs.subscribed(subscribed('1', 'a', 7, 1), [front, back])
    expect(jobs.request(both)).toEqual([{ job: '1', ref: 2, after: 'a-2' }])
    jobs.subscribed(subscribed('1', 'a', 2, 2), [front, back])
    expect(jobs.coversAll(both)).toBe(true)
    push(jobs, 3, 4, 5, 6, 7, 8)
    expect(events(front)).toEqual(['a-8'])
    expect(events(back)).toEqual(['a-3', 'a-4', 'a-5', 'a-6', 'a-7', 'a-8'])
  })

  test('a tail beside one that has a place: neither takes the other’s reading for its own', () => {
    const [reader, tail] = [record('1'), record('1', 'tail')]
    const jobs = begun(0, reader)
    push(jobs, 1)
    jobs.join(wants(reader, tail))
    expect(jobs.request(wants(reader, tail))).toEqual([{ job: '1', ref: 2, after: 'tail' }])
    jobs.subscribed(subscribed('1', 'a', 3, 2), [reader, tail])
    expect(jobs.coversAll(wants(reader, tail))).toBe(false)
    expect(jobs.request(wants(reader, tail))).toEqual([{ job: '1', ref: 3, epoch: 'a', seq: 1, after: 'a-1' }])
    jobs.subscribed(subscribed('1', 'a', 1, 3), [reader, tail])
    push(jobs, 2, 3, 4)
    expect(events(reader)).toEqual(['a-1', 'a-2', 'a-3', 'a-4'])
    expect(events(tail)).toEqual(['a-4'])
  })

  test('a tail asked for twice loses nothing', () => {
    const tail = record('1', 'tail')
    const [first, second] = [create(), create()]
    first.request(wants(tail))
    second.request(wants(tail))
    first.subscribed(subscribed('1', 'a', 3), [tail])
    second.subscribed(subscribed('1', 'a', 5), [tail])
    second.event(event('1', 'a', 6))
    push(first, 4, 5, 6)
    expect(events(tail)).toEqual(['a-4', 'a-5', 'a-6'])
    expect(second.coversAll(wants(tail))).toBe(true) // the link is at the reader's position, however the reader got there
    push(second, 7)
    push(first, 7)
    expect(events(tail)).toEqual(['a-4', 'a-5', 'a-6', 'a-7'])
  })
})

describe('what two readers of a job are handed', () => {
  const data = (): object => ({ current: 1, nested: { list: [1, 2] } })

  test('is an object each, all the way down: what one does to it is nothing to the other', () => {
    const readers = [record('1'), record('1'), record('1')]
    const jobs = begun(0, ...readers)
    jobs.event({ ...event('1', 'a', 1), data: data() })
    const handed = readers.map(({ events: [first] }) => first?.event)
    expect(handed).toEqual(handed.map(() => ({ ...event('1', 'a', 1), data: data() })))
    expect(new Set(handed).size).toBe(3)
    expect(new Set(handed.map((each) => each?.data)).size).toBe(3)
    const [first, second, third] = handed.map((each) => each?.data as { current: number; nested: { list: number[] } }) // as: made above
    first?.nested.list.push(3)
    expect([second?.nested.list, third?.nested.list]).toEqual([
      [1, 2],
      [1, 2]
    ])
  })

  test('is what was parsed, where there is but one', () => {
    const one = record('1')
    const jobs = begun(0, one)
    const parsed = { ...event('1', 'a', 1), data: data() }
    jobs.event(parsed)
    expect(one.events[0]?.event).toBe(parsed)
  })
})

describe('a reader that has no room', () => {
  test('is noted once it has taken what has come, and only then', () => {
    const [small, large] = [record('1'), record('1')]
    const jobs = begun(0, small, large)
    small.room = 1
    push(jobs, 1)
    expect([...jobs.full]).toEqual([])
    small.room = 0
    push(jobs, 2)
    expect([...jobs.full]).toEqual([small])
    push(jobs, 3)
    expect([...jobs.full]).toEqual([small])
    expect(events(small)).toEqual(['a-1', 'a-2', 'a-3'])
  })

  test('is no business of a link that brings it nothing', () => {
    const [reader, other] = [record('1'), record('1')]
    other.position = { epoch: 'a', seq: 9, cursor: 'a-9', left: [] }
    other.room = 0
    const jobs = begun(0, reader, other)
    push(jobs, 1)
    expect([...jobs.full]).toEqual([])
  })
})

describe('an answer from before the place that was asked for', () => {
  const at = (seq: number): Recorder => Object.assign(record('1'), { position: { epoch: 'a', seq, cursor: `a-${seq}`, left: [] } })

  test.each([
    [4, false],
    [0, false],
    [5, true],
    [7, true]
  ])('asked at 5, begun at %d: as asked: %s', (seq, isAsAsked) => {
    const one = at(5)
    const jobs = create()
    jobs.request(wants(one))
    expect(jobs.subscribed(subscribed('1', 'a', seq, 1), [one])).toBe(isAsAsked)
  })

  test('is used all the same: what was had is dropped, what is new is delivered', () => {
    const one = at(2)
    const jobs = create()
    jobs.request(wants(one))
    expect(jobs.subscribed(subscribed('1', 'a', 0), [one])).toBe(false)
    push(jobs, 1, 2, 3)
    expect(events(one)).toEqual(['a-3'])
    expect(jobs.coversAll(wants(one))).toBe(true)
  })

  test('is noticed of each answer to a poll, also of one that says again what it has said', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1, 2, 3)
    expect(jobs.subscribed(subscribed('1', 'a', 3), [one])).toBe(true)
    expect(jobs.subscribed(subscribed('1', 'a', 0), [one])).toBe(false)
  })

  test('of a poll is any that begins elsewhere, until it was asked for in every way there is; of a stream it says that the log was trimmed', () => {
    const told = subscribed('1', 'a', 6)
    for (const [isFresh, isPolled, isAsAsked] of [
      [false, true, false],
      [true, true, true],
      [false, false, true]
    ] as const) {
      const one = record('1')
      const jobs = begun(0, one)
      push(jobs, 1, 2, 3)
      expect(jobs.subscribed(told, [one], isFresh, isPolled)).toBe(isAsAsked)
      push(jobs, 7)
      expect(events(one).slice(3)).toEqual(isAsAsked ? ['gap of 3 after a-3: retention', 'a-7'] : [])
    }
  })

  test('is none in another epoch: that has begun anew', () => {
    const one = at(5)
    const jobs = create()
    jobs.request(wants(one))
    expect(jobs.subscribed(subscribed('1', 'b', 0, 1), [one])).toBe(true)
  })

  describe('where nobody knows what lies before, since a cursor says nothing of its place', () => {
    const asking = (after: string | undefined): { one: Recorder; jobs: Jobs } => {
      const one = record('1', after)
      const jobs = create()
      jobs.request(wants(one))
      return { one, jobs }
    }

    test('is any that begins elsewhere, and nobody takes part in it: the cursor may have been lost on the way', () => {
      const { one, jobs } = asking('a-7')
      expect(jobs.subscribed(subscribed('1', 'a', 9), [one], false)).toBe(false)
      push(jobs, 10)
      expect(one.heard).toEqual([])
      expect(one.position.cursor).toBe('a-7')
    })

    test('is one in a known epoch too: a cache may have given the answer to somebody further on', () => {
      const one = at(5)
      const jobs = create()
      jobs.request(wants(one))
      expect(jobs.subscribed(subscribed('1', 'a', 9), [one], false)).toBe(false)
      push(jobs, 10)
      expect(one.heard).toEqual([])
    })

    test('is none once it was asked for in every way there is: that history is gone', () => {
      const { one, jobs } = asking('a-7')
      expect(jobs.subscribed(subscribed('1', 'a', 9), [one], true)).toBe(true)
      expect(events(one)).toEqual(['gap of undefined after a-7: retention'])
    })

    test('is none that bears the ref: the question was heard as it was asked', () => {
      const { one, jobs } = asking('a-7')
      expect(jobs.subscribed(subscribed('1', 'a', 9, 1), [one], false)).toBe(true)
      expect(events(one)).toEqual(['gap of undefined after a-7: retention'])
    })

    test.each(['a-7', 'tail', undefined])('is none that begins where it was asked for (%s)', (after) => {
      const { one, jobs } = asking(after)
      expect(jobs.subscribed(subscribed('1', 'a', 7), [one], false)).toBe(true)
      push(jobs, 8)
      expect(one.heard).toContain('a-8')
    })
  })

  test('is none that anybody waits for: of a job, or a question, that was given up', () => {
    const one = at(5)
    const jobs = create()
    expect(jobs.subscribed(subscribed('1', 'a', 0), [one])).toBe(true)
    jobs.request(wants(one))
    expect(jobs.subscribed(subscribed('1', 'a', 0, 9), [one])).toBe(true)
  })
})

describe('join', () => {
  test('takes in a reader that asks for the very place', () => {
    const [first, second] = [record('1'), record('1', 'a-2')]
    const jobs = begun(0, first)
    push(jobs, 1, 2)
    jobs.join(wants(first, second))
    expect(jobs.needsUpdate(wants(first, second))).toBe(false)
    push(jobs, 3)
    expect(events(second)).toEqual(['a-3'])
  })

  test('lets go of one that has left', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first, second)
    jobs.join(wants(second))
    push(jobs, 1)
    expect([events(first), events(second)]).toEqual([[], ['a-1']])
  })

  test('lets go of the last one too, before anything else is asked for', () => {
    const one = record('1')
    const jobs = begun(0, one)
    jobs.join(wants())
    push(jobs, 1)
    expect(events(one)).toEqual([])
  })

  test('takes one that was paused back where nothing has passed meanwhile; else it is asked for anew', () => {
    const one = record('1')
    const jobs = begun(0, one)
    jobs.join(wants())
    jobs.join(wants(one))
    expect(jobs.coversAll(wants(one))).toBe(true)
    push(jobs, 1)
    jobs.join(wants())
    push(jobs, 2)
    jobs.join(wants(one))
    expect(jobs.coversAll(wants(one))).toBe(false)
    expect(jobs.request(wants(one))).toEqual([{ job: '1', ref: 2, epoch: 'a', seq: 1, after: 'a-1' }])
    jobs.subscribed(subscribed('1', 'a', 1, 2), [one])
    push(jobs, 2, 3)
    expect(events(one)).toEqual(['a-1', 'a-2', 'a-3'])
  })
})

describe('subscribed anew, without a ref', () => {
  test('where the log was trimmed under the reading: a gap of what lies between', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1)
    jobs.subscribed(subscribed('1', 'a', 4), [one])
    push(jobs, 5)
    expect(events(one)).toEqual(['a-1', 'gap of 3 after a-1: retention', 'a-5'])
  })

  test('where the log was replaced: a gap of unknown size', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1)
    jobs.subscribed(subscribed('1', 'b', 0), [one])
    jobs.event(event('1', 'b', 1))
    expect(events(one)).toEqual(['a-1', 'gap of undefined after a-1: epoch', 'b-1'])
  })

  test('from further back: nothing that a reader holds the cursor of is had again', () => {
    const [first, later] = [record('1'), record('1', 'a-2')]
    const jobs = begun(0, first)
    jobs.join(wants(first, later))
    push(jobs, 1, 2)
    jobs.subscribed(subscribed('1', 'a', 1), [first, later])
    push(jobs, 2, 3)
    expect(events(first)).toEqual(['a-1', 'a-2', 'a-3'])
    expect(events(later)).toEqual(['a-3'])
  })

  test('is no gap to a reader further on, nor to one that was never its own', () => {
    const [first, further, behind] = [record('1'), record('1'), record('1')]
    further.position = { epoch: 'a', seq: 9, cursor: 'a-9', left: [] }
    const jobs = begun(0, first, further)
    push(jobs, 1)
    jobs.subscribed(subscribed('1', 'a', 4), [first, further, behind])
    expect(events(further)).toEqual([])
    expect(behind.heard).toEqual([])
    expect(jobs.coversAll(wants(first, further))).toBe(true)
    expect(jobs.needsUpdate(wants(first, further, behind))).toBe(true)
  })

  test('lets go of a reader that is not active: it would miss what lies between', () => {
    const one = record('1')
    const jobs = begun(0, one)
    jobs.subscribed(subscribed('1', 'a', 4), [])
    expect(jobs.coversAll(wants(one))).toBe(false)
    expect(jobs.request(wants(one))).toEqual([{ job: '1', ref: 2, epoch: 'a', seq: 0, after: 'a-0' }])
  })

  test('with every answer of a poll changes nothing', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1)
    jobs.subscribed(subscribed('1', 'a', 1), [one])
    push(jobs, 2)
    expect(one.heard).toEqual(['running', 'a-1', 'running', 'a-2'])
  })

  test('while another asking is open says nothing of that one', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first)
    push(jobs, 1)
    jobs.request(wants(first, second))
    jobs.subscribed(subscribed('1', 'a', 1), [first, second])
    push(jobs, 2)
    expect(jobs.coversAll(wants(first))).toBe(false)
    expect([events(first), second.heard]).toEqual([['a-1', 'a-2'], []])
  })
})

describe('an epoch that was left', () => {
  const left = (): Recorder => Object.assign(record('1'), { position: { epoch: 'b', seq: 1, cursor: 'b-1', left: ['a'] } })

  test('is not read on another link', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1)
    one.position = left().position
    push(jobs, 2)
    jobs.subscribed(subscribed('1', 'a', 2), [one])
    push(jobs, 3)
    expect(events(one)).toEqual(['a-1'])
    expect(jobs.coversAll(wants(one))).toBe(false)
  })

  test('as the answer to the reader’s own question breaks the protocol: it would be so for ever', () => {
    const one = left()
    const jobs = create()
    jobs.request(wants(one))
    expect(() => jobs.subscribed(subscribed('1', 'a', 0), [one])).toThrow(
      expect.objectContaining({ reason: 'protocol', message: 'job 1: subscribed in epoch a, which b has replaced' })
    )
  })

  test('is no break where the reader has only moved since it was asked for', () => {
    const one = record('1', 'a-1')
    const jobs = create()
    jobs.request(wants(one))
    one.position = left().position
    jobs.subscribed(subscribed('1', 'a', 1), [one])
    expect(one.heard).toEqual([])
    expect(jobs.request(wants(one))).toEqual([{ job: '1', ref: 2, epoch: 'b', seq: 1, after: 'b-1' }])
  })
})

describe('done', () => {
  const done = (cursor: string) => ({ control: 'done', job: '1', cursor }) as const

  test('is for those who have read to the end', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first, second)
    push(jobs, 1)
    expect(jobs.done(done('a-1'), [first, second])).toEqual([first, second])
    expect(jobs.jobs()).toEqual([])
  })

  test('is not for one that has left, nor for one in another epoch', () => {
    const [first, gone, elsewhere] = [record('1'), record('1'), record('1')]
    const jobs = begun(0, first, gone, elsewhere)
    push(jobs, 1)
    elsewhere.position = { epoch: 'b', seq: 1, cursor: 'b-1', left: ['a'] }
    expect(jobs.done(done('a-1'), [first, elsewhere])).toEqual([first])
  })

  test('may be all the answer there is: to a cursor at the end', () => {
    const one = record('1', 'a-7')
    const jobs = create()
    jobs.request(wants(one))
    expect(jobs.done(done('a-7'), [one])).toEqual([one])
  })

  test('elsewhere than at the end of what was read breaks the protocol', () => {
    const one = record('1')
    const jobs = begun(0, one)
    push(jobs, 1)
    expect(() => jobs.done(done('a-2'), [one])).toThrow(
      expect.objectContaining({ reason: 'protocol', message: 'job 1: done at a-2, but what was read ends at a-1' })
    )
  })

  test('of a job that is not read is passed over', () => expect(create().done(done('a-1'), [])).toEqual([]))

  test('of a reading that was given up is not the end of what was asked for since', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first)
    jobs.request(wants())
    jobs.request(wants(second))
    push(jobs, 1)
    expect(jobs.done(done('a-1'), [second])).toEqual([])
    jobs.subscribed(subscribed('1', 'a', 0, 2), [second])
    push(jobs, 1)
    expect(jobs.done(done('a-1'), [second])).toEqual([second])
  })

  test('belongs to the old reading while another asking is open', () => {
    const [first, second] = [record('1'), record('1')]
    const jobs = begun(0, first)
    push(jobs, 1)
    jobs.request(wants(first, second))
    expect(jobs.done(done('a-1'), [first, second])).toEqual([first])
    jobs.subscribed(subscribed('1', 'a', 0, 2), [second])
    push(jobs, 1)
    expect(events(second)).toEqual(['a-1'])
    expect(jobs.done(done('a-1'), [second])).toEqual([second])
  })
})

describe('remove', () => {
  test('forgets the job, and tells from where it was asked for', () => {
    const [one, two] = [record('1', 'a-4'), record('2')]
    const jobs = create()
    jobs.request(wants(one, two))
    expect(jobs.remove('1')?.cursor).toBe('a-4')
    expect(jobs.jobs()).toEqual(['2'])
    expect(jobs.remove('1')).toBeUndefined()
    expect(jobs.needsUpdate(wants(one, two))).toBe(true)
  })

  test('tells of the asking that is open, if there is one', () => {
    const [first, second] = [record('1', 'a-4'), record('1', 'a-2')]
    const jobs = create()
    jobs.request(wants(first))
    jobs.subscribed(subscribed('1', 'a', 4), [first])
    jobs.request(wants(first, second))
    expect(jobs.remove('1')?.cursor).toBe('a-2')
  })
})
