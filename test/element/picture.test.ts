/** What a state looks like, in words. */

import { describe, expect, test } from 'vitest'
import { type Knowledge, pictureOf, ratioOf } from '../../src/element/picture.ts'
import { ENGLISH, percentIn, timeIn, type Words } from '../../src/element/words.ts'
import { type JobState, JobtailError } from '../../src/index.ts'
import { createStore } from '../../src/state.ts'

const state = (change: Partial<JobState> = {}): JobState => ({ ...createStore().state, ...change })
const wordOf = (name: keyof Words, value = ''): string => ENGLISH[name].replace('{}', value)
const picture = (change: Partial<JobState>, known: Partial<Knowledge> = {}) =>
  pictureOf({ state: state(change), ratio: undefined, position: undefined, leftMs: undefined, isLost: false, isRefused: false, ...known }, wordOf, 'en')

/** What a server of Python sends for what it does not know. */
const nulls = { ratio: null, current: null, total: null, unit: null, stage: null, message: null } as unknown as Record<'ratio' | 'current' | 'total', number> // as: not as the protocol says

describe('what is seen', () => {
  test.each<[what: string, change: Partial<JobState>, known: Partial<Knowledge>, seen: object]>([
    ['nothing is known', {}, {}, { status: 'unknown', stage: '', value: '', left: '', connection: '', error: '' }],
    ['queued', { status: 'queued' }, {}, { stage: 'Waiting' }],
    ['queued, with its place', { status: 'queued' }, { position: 1200 }, { stage: 'Waiting, was number 1,200' }],
    ['running', { status: 'running' }, {}, { stage: 'Running', value: '' }],
    ['a stage', { status: 'running', progress: { stage: 'Upload' } }, {}, { stage: 'Upload' }],
    ['a message', { status: 'running', progress: { stage: 'Upload', message: '3 of 10 files' } }, { ratio: 0.3 }, { stage: '3 of 10 files', value: '30%' }],
    ['an empty message', { status: 'running', progress: { stage: 'Upload', message: '' } }, {}, { stage: 'Upload' }],
    ['neither stage nor message', { status: 'running', progress: { stage: '', message: '' } }, {}, { stage: 'Running' }],
    ['nulls', { status: 'running', progress: nulls }, {}, { stage: 'Running', value: '' }],
    ['objects', { status: 'running', progress: { stage: {}, message: [], unit: {}, current: 5 } as object }, {}, { stage: 'Running', value: '5' }],
    ['no unit', { status: 'running', progress: { ...nulls, current: 5 } }, {}, { value: '5' }],
    ['a place that is none', { status: 'queued' }, { position: nulls.current }, { stage: 'Waiting' }],
    ['no total', { status: 'running', progress: { current: 8120, unit: 'frames' } }, {}, { value: '8,120 frames', ratio: undefined }],
    ['time left', { status: 'running' }, { ratio: 0.5, leftMs: 125_000 }, { left: 'About 2 min left' }],
    ['time left, without a connection', { status: 'running' }, { leftMs: 125_000, isLost: true }, { left: '', connection: ENGLISH.offline }],
    ['a cancellation that was refused', { status: 'running' }, { isRefused: true }, { connection: ENGLISH.refused }],
    [
      'done',
      { status: 'succeeded', progress: { message: 'Page 9' } },
      { ratio: 1, leftMs: 1, isLost: true },
      { stage: 'Done', value: '100%', left: '', connection: '' }
    ],
    ['cancelled', { status: 'cancelled', error: new JobtailError('closed', 'x') }, {}, { stage: 'Cancelled', error: '' }],
    ['failed', { status: 'failed', error: new JobtailError('closed', 'the disk is full') }, {}, { stage: 'Failed', error: 'the disk is full' }],
    ['can no longer be followed', { status: 'running', error: new JobtailError('protocol', 'GET /jobs/1: …') }, {}, { status: 'error', error: ENGLISH.error }]
  ])('%s', (_, change, known, seen) => {
    expect(picture(change, known)).toMatchObject(seen)
  })
})

test.each<[ratio: unknown, shown: number | undefined]>([
  [0.5, 0.5],
  [7, 1],
  [Infinity, 1],
  [-1, undefined],
  [Number.NaN, undefined],
  ['0.5', undefined],
  [undefined, undefined]
])('a ratio that is %s', (ratio, shown) => {
  expect(ratioOf(state({ status: 'running', progress: { ratio: ratio as number } }), 0.9)).toBe(shown)
})

test('what the page came with counts until something is known', () => {
  expect(ratioOf(state(), 0.9)).toBe(0.9)
  expect(ratioOf(state({ status: 'queued' }), 0.9)).toBeUndefined()
  expect(ratioOf(state({ status: 'succeeded', progress: { ratio: 0.4 } }), 0.9)).toBe(1)
})

test.each<[seconds: number, text: string]>([
  [0, '5 sec'],
  [4, '5 sec'],
  [42, '40 sec'],
  [57, '55 sec'],
  [58, '1 min'],
  [89, '1 min'],
  [90, '2 min'],
  [3599, '60 min'],
  [5399, '1.5 hr'],
  [7200, '2 hr'],
  [86_400, '24 hr']
])('%s seconds', (seconds, text) => {
  expect(timeIn('en', seconds * 1000)).toBe(text)
})

test('percent are rounded down, in the language of the page', () => {
  expect([0, 0.29, 0.999, 1].map((ratio) => percentIn('en', ratio))).toEqual(['0%', '29%', '99%', '100%'])
  expect(percentIn('ar-EG', 0.5)).toBe('٥٠٪؜')
  expect(timeIn('de', 120_000)).toBe('2 Min.')
})
