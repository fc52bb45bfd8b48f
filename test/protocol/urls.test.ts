import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJobId } from '../../src/protocol/rules.ts'
import { eventsUrl, listsOf, resourceUrl } from '../../src/protocol/urls.ts'

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
    ['of one job whose id would not pass in a path', [{ job: 'a/b', after: 'a-1' }], '/events?job=a%2Fb&after=a-1'],
    ['of one such job from the start', [{ job: 'a\\b' }], '/events?job=a%5Cb'],
    ['of no job', [], '/events']
  ])('%s', (_, jobs, expected) => {
    expect(eventsUrl(base, jobs).href).toBe(`https://api.example.com/v1/jobs${expected}`)
  })

  test('say how much may be under way', () => {
    expect(eventsUrl(base, [{ job: '42' }], 1000).search).toBe('?window=1000')
  })

  test("keep the base's own query", () => {
    expect(eventsUrl(new URL('https://a.example/jobs?tenant=7'), [{ job: '42', after: 'a-1' }]).href).toBe(
      'https://a.example/jobs/42/events?tenant=7&after=a-1'
    )
  })
})

const jobId = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter(isJobId)

test('any job id without a slash is one segment of the path, any other one a parameter, and can be read back', () => {
  fc.assert(
    fc.property(jobId, (job) => {
      const url = new URL(eventsUrl(base, [{ job }]).href)
      if (/[/\\]/.test(job)) {
        expect([url.pathname, url.searchParams.get('job')]).toEqual(['/v1/jobs/events', job])
        return
      }
      const [, v1, jobs, id, events, ...rest] = url.pathname.split('/')
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

describe('a long list', () => {
  test('is several, each short enough for a URL, in order', () => {
    const asked = fc.record({ job: jobId, after: fc.stringMatching(/^[a-z]{0,100}$/) })
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 200, size: 'max' }), (jobs) => {
        const lists = listsOf(jobs)
        expect(lists.flat()).toEqual(jobs)
        expect(lists.length).toBeGreaterThan(0)
        for (const list of lists) if (list.length > 1) expect(eventsUrl(base, list).search.length).toBeLessThanOrEqual(4001)
      }),
      { numRuns: 50 }
    )
  })

  test('has room for cursors that are not known yet', () => {
    const jobs = Array.from({ length: 200 }, (_, index) => ({ job: `job-${index}` }))
    for (const list of listsOf(jobs))
      expect(
        eventsUrl(
          base,
          list.map((each) => ({ ...each, after: 'x'.repeat(24) }))
        ).search.length
      ).toBeLessThanOrEqual(4001)
  })

  test('with no job is one list', () => {
    expect(listsOf([])).toEqual([[]])
  })
})
