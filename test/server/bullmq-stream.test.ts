import { expect, test } from 'vitest'
import { createJobs } from '../../src/server/bullmq/jobs.ts'
import { createLedger } from '../../src/server/bullmq/ledger.ts'
import { createQueueStream, type QueueStream } from '../../src/server/bullmq/queue-events.ts'
import type { Source } from '../../src/server/bullmq/source.ts'
import { compareIds, type LoggedState, nextTowards, progressOf, type QueuedJob, type QueueEntry } from '../../src/server/bullmq/to-job-event.ts'
import { memoryLog } from '../../src/server/log/memory.ts'

const job: QueuedJob = { name: 'x', state: 'active', attempts: 1, failures: 0, progress: 0, result: null, failedReason: undefined, finishedOn: undefined }

/** A queue whose job makes a step, and adds an entry for it, each time the job is read. */
function movingQueue(jobId: string, steps: number, event = 'active') {
  const written: QueueEntry[] = []
  const step = (of: string, what: string, fields: QueueEntry['fields'] = {}) => written.push({ id: `1-${written.length + 1}`, event: what, jobId: of, fields })
  const source: Pick<Source, 'entries' | 'job'> = {
    entries: async (after) => written.filter(({ id }) => compareIds(id, after) > 0),
    async job(id) {
      const done = written.filter((entry) => entry.jobId === id).length
      if (done < steps) step(jobId, event, { data: String(done + 1) })
      step('another', 'active')
      return event === 'progress' ? { ...job, progress: done } : { ...job, attempts: done }
    }
  }
  return { written, stream: createQueueStream(source as Source) } // as: what a stream asks of it
}

test("a job's state belongs to the entry that it is reported with, however often the job moves meanwhile", async () => {
  const { stream, written } = movingQueue('a', 3)
  const { job, at } = await stream.stateOf('a')
  const before = written.filter(({ id, jobId }) => jobId === 'a' && compareIds(id, at) <= 0)
  expect(job?.attempts).toBe(3)
  expect(before).toHaveLength(3)
  expect(stream.hasUntaken('a')).toBe(true)
  expect(stream.take()).toEqual(written)
  expect([stream.hasUntaken('a'), stream.take()]).toEqual([false, []])
})

test('the state of a job whose progress never pauses is known at once', async () => {
  const { stream, written } = movingQueue('a', 50, 'progress')
  const { job, at } = await stream.stateOf('a')
  const before = written.filter(({ id, jobId }) => jobId === 'a' && compareIds(id, at) <= 0)
  expect(before).toHaveLength(1)
  expect(job).toMatchObject({ attempts: 1, failures: 0, progress: 1 })
})

test.each([
  [
    { bullmq: 1, stage: 'a' },
    { stage: 'a', bullmq: 1 }
  ],
  [
    { a: 1, b: { c: 2, d: 3 } },
    { b: { d: 3, c: 2 }, a: 1 }
  ]
])('progress that is in the log already is not logged again: %j as %j', (progress, logged) => {
  const before: LoggedState = { mark: { entry: '1-1', rows: 0, attempt: 1, failures: 0 }, status: 'running', progress: logged }
  expect(nextTowards({ ...job, progress }, '1-2', false, before)).toBeUndefined()
})

test('jobs that ended before the lost entries are not logged again, even if their logs have expired', async () => {
  const log = memoryLog()
  const finished: QueuedJob = { ...job, state: 'completed', finishedOn: 1000 }
  const { stream } = movingQueue('a', 0)
  const stateOf: QueueStream['stateOf'] = async () => ({ job: finished, at: '2000-0' })
  const source = { rows: async () => [] as string[] } as unknown as Source // as: what jobs ask of it
  const jobs = createJobs({ source, stream: { ...stream, stateOf }, ledger: createLedger(log), idOf: (id) => id, filter: () => true, isLazy: false, since: 0 })
  expect(await jobs.catchUp('a', 1001)).toBe('past')
  expect(await log.snapshot('a')).toBeUndefined()
  expect(await jobs.catchUp('b', 1000)).toBe('done')
  expect(await log.snapshot('b')).toMatchObject({ status: 'succeeded' })
})

test('calls in one turn share one read, and a call during a read makes another one', async () => {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const entries: Source['entries'] = (after) => {
    asked.push(after)
    return new Promise((resolve) => answers.push(() => resolve([{ id: `${asked.length}-0`, event: 'added', jobId: 'a', fields: {} }])))
  }
  const stream = createQueueStream({ entries } as Source) // as: what a stream asks of it
  const both = Promise.all([stream.read(1), stream.read(1)])
  await expect.poll(() => asked).toHaveLength(1)
  const late = stream.read(1)
  answers[0]?.()
  await both
  await expect.poll(() => asked).toHaveLength(2)
  answers[1]?.()
  await late
  expect(stream.take()).toHaveLength(2)
})

test('a read that does not wait gets what is there, since the shortest wait of Redis takes up to a tenth of a second', async () => {
  const first: QueueEntry = { id: '7-0', event: 'added', jobId: 'a', fields: {} }
  const entries: Source['entries'] = async (after) => (compareIds(first.id, after) > 0 ? [first] : new Promise(() => {}))
  const stream = createQueueStream({ entries } as Source) // as: what a stream asks of it
  await stream.read(0)
  await stream.read(0)
  expect(stream.take()).toEqual([first])
})

test('entries that were trimmed before they were read are noticed once, and those that had been read are not', async () => {
  let written: QueueEntry[] = []
  const add = (...ids: string[]) => written.push(...ids.map((id) => ({ id, event: 'added', jobId: 'a', fields: {} })))
  const entries: Source['entries'] = async (after) => written.filter(({ id }) => compareIds(id, after) > 0)
  const stream = createQueueStream({ entries } as Source) // as: what a stream asks of it
  const readAll = async () => {
    await stream.read(2)
    return [stream.take().map(({ id }) => id), stream.lostAfter()]
  }
  expect(await readAll()).toEqual([[], undefined])
  add('7-0', '7-1')
  expect(await readAll()).toEqual([['7-0', '7-1'], undefined])
  add('7-2', '8-0')
  written = written.slice(1) // trims the entries that have been read
  expect(await readAll()).toEqual([['7-2', '8-0'], undefined])
  add('9-0')
  expect(await readAll()).toEqual([['9-0'], undefined])
  add('10-0', '11-0')
  written = written.slice(-1)
  expect(await readAll()).toEqual([['11-0'], '9-0'])
  expect(await readAll()).toEqual([[], undefined])
  written = []
  expect(await readAll()).toEqual([[], '11-0'])
  expect(await readAll()).toEqual([[], undefined])
  add('12-0')
  expect(await readAll()).toEqual([['12-0'], undefined])
})

test.each([
  [0, { ratio: 0 }],
  [33, { ratio: 0.33 }],
  [250, { ratio: 1 }],
  ['half way', { message: 'half way' }],
  [
    { stage: 'a', ratio: 0.5 },
    { stage: 'a', ratio: 0.5 }
  ],
  [[1, 2], { value: [1, 2] }],
  [true, { value: true }]
])('progress %j becomes %j', (progress, expected) => {
  expect(progressOf(progress)).toEqual(expected)
})

test('stream ids are compared as numbers', () => {
  const ids = ['10-0', '9-10', '9-9', '1732195423000-1', '1732195423000-0']
  expect(ids.toSorted(compareIds)).toEqual(['9-9', '9-10', '10-0', '1732195423000-0', '1732195423000-1'])
})

test('a log that another bridge has begun anew is not begun again', async () => {
  const log = memoryLog()
  const ledger = createLedger(log)
  await log.append('a', 'succeeded', 1)
  const [one, other] = [await ledger.open('a'), await ledger.open('a')]
  await ledger.restart(one)
  await ledger.append(one, () => ({ type: 'queued', data: {}, mark: { entry: '5-0', rows: 0, attempt: 0, failures: 0 } }))
  await ledger.restart(other)
  expect(await log.snapshot('a')).toMatchObject({ status: 'queued', seq: 1 })
  expect(other).toMatchObject({ hasEnded: false, seq: 1, mark: { entry: '5-0' } })
})
