import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJobId } from '../../src/protocol/rules.ts'
import { eventsUrl, resourceUrl } from '../../src/protocol/urls.ts'

const base = new URL('https://api.example.com/v1/jobs')

test.each([
  ['https://a.example/jobs', 'https://a.example/jobs/42'],
  ['https://a.example/jobs/', 'https://a.example/jobs/42'],
  ['https://a.example/jobs//', 'https://a.example/jobs/42'],
  ['https://a.example', 'https://a.example/42'],
  ['https://a.example:8443/jobs?tenant=7', 'https://a.example:8443/jobs/42?tenant=7'],
  ['https://a.example/jobs#top', 'https://a.example/jobs/42']
])('below %s the job 42 is %s', (url, expected) => {
  expect(resourceUrl(new URL(url), '42').href).toBe(expected)
})

test('the base stays as it is', () => {
  eventsUrl(base, [{ job: '42', after: 'a-1' }])
  expect(base.href).toBe('https://api.example.com/v1/jobs')
})

test('a cancel has its own resource', () => {
  expect(resourceUrl(base, 'a/b', 'cancel').href).toBe('https://api.example.com/v1/jobs/a%2Fb/cancel')
})

describe('events', () => {
  test.each([
    ['of one job', [{ job: '42' }], '/42/events'],
    ['of one job, after a cursor', [{ job: '42', after: 'a-1' }], '/42/events?after=a-1'],
    ['of several jobs, paired by position', [{ job: 'a' }, { job: 'b', after: 'b:2' }], '/events?job=a&after=&job=b&after=b%3A2'],
    ['of no job', [], '/events']
  ])('%s', (_, jobs, expected) => {
    expect(eventsUrl(base, jobs).href).toBe(`https://api.example.com/v1/jobs${expected}`)
  })

  test("keep the base's own query", () => {
    expect(eventsUrl(new URL('https://a.example/jobs?tenant=7'), [{ job: '42', after: 'a-1' }]).href).toBe(
      'https://a.example/jobs/42/events?tenant=7&after=a-1'
    )
  })
})

const jobId = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter(isJobId)

test('any job id is one segment of the path, and can be read back', () => {
  fc.assert(
    fc.property(jobId, (job) => {
      const [, v1, jobs, id, events, ...rest] = eventsUrl(base, [{ job }]).pathname.split('/')
      expect([v1, jobs, events, rest]).toEqual(['v1', 'jobs', 'events', []])
      expect(decodeURIComponent(id ?? '')).toBe(job)
    })
  )
})

test('any list of jobs can be read back', () => {
  const asked = fc.record({ job: jobId, after: fc.stringMatching(/^[A-Za-z0-9._:~-]{0,20}$/) })
  fc.assert(
    fc.property(fc.array(asked, { minLength: 2, maxLength: 5 }), (jobs) => {
      const { searchParams } = new URL(eventsUrl(base, jobs).href)
      const [ids, cursors] = [searchParams.getAll('job'), searchParams.getAll('after')]
      expect(ids.map((job, index) => ({ job, after: cursors[index] }))).toEqual(jobs)
    })
  )
})
