import { expect, test } from 'vitest'
import { compareIds, type Entry, progressOf, type QueuedJob } from '../../src/server/bullmq/entry.ts'
import type { Source } from '../../src/server/bullmq/source.ts'
import { createStream } from '../../src/server/bullmq/stream.ts'

/** A queue whose job makes a step, with its entry, each time that something else is asked for meanwhile. */
function movingQueue(jobId: string, steps: number) {
  const written: Entry[] = []
  const step = (of: string) => written.push({ id: `1-${written.length + 1}`, event: 'progress', jobId: of, fields: {} })
  const source: Pick<Source, 'entries' | 'job'> = {
    entries: async (after) => written.filter(({ id }) => compareIds(id, after) > 0),
    async job(id) {
      const progress = written.filter((entry) => entry.jobId === id).length
      if (progress < steps) step(jobId)
      step('another')
      return { name: 'x', state: 'active', attempts: 1, progress, result: null, failedReason: undefined, finishedOn: undefined } satisfies QueuedJob
    }
  }
  return { written, stream: createStream(source as Source) } // as: what a stream asks of it
}

test("a job's state is that of the entry it is said to be of, however often the job moves meanwhile", async () => {
  const { stream, written } = movingQueue('a', 3)
  const { job, at } = await stream.stateOf('a')
  const before = written.filter(({ id, jobId }) => jobId === 'a' && compareIds(id, at) <= 0)
  expect(job?.progress).toBe(3)
  expect(before).toHaveLength(3)
  expect(stream.isAhead('a')).toBe(true)
  expect(stream.take()).toEqual(written)
  expect([stream.isAhead('a'), stream.take()]).toEqual([false, []])
})

test('calls in one turn are one read; a call during a read is another one', async () => {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const entries: Source['entries'] = (after) => {
    asked.push(after)
    return new Promise((resolve) => answers.push(() => resolve([{ id: `${asked.length}-0`, event: 'added', jobId: 'a', fields: {} }])))
  }
  const stream = createStream({ entries } as Source) // as: what a stream asks of it
  const both = Promise.all([stream.read(1), stream.read(1)])
  await expect.poll(() => asked).toEqual(['0-0'])
  const late = stream.read(1)
  answers[0]?.()
  await both
  await expect.poll(() => asked).toEqual(['0-0', '1-0'])
  answers[1]?.()
  await late
  expect(stream.take()).toHaveLength(2)
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
])('progress %j', (progress, expected) => {
  expect(progressOf(progress)).toEqual(expected)
})

test('ids of a stream are compared as numbers', () => {
  const ids = ['10-0', '9-10', '9-9', '1732195423000-1', '1732195423000-0']
  expect(ids.toSorted(compareIds)).toEqual(['9-9', '9-10', '10-0', '1732195423000-0', '1732195423000-1'])
})
