/** celeryProgress with real Celery and Django. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { celeryProgress } from '../../src/backends.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import { brief, clientOf, eventsOf } from './following.ts'
import { type CeleryServer, python, startCelery } from './python.ts'
import { subjects } from './subjects.ts'
import { underTest } from './under-test.ts'

describe.skipIf(!python)('celeryProgress with a real worker', { timeout: 60_000 }, () => {
  let server: CeleryServer
  beforeAll(async () => {
    server = await startCelery()
  }, 60_000)
  afterAll(() => server?.close())

  const start = async (how: string): Promise<string> => {
    const { task_id } = (await (await fetch(`${server.url}/start/${how}/`)).json()) as { task_id: string } // as: the view's
    return task_id
  }
  const follow = async (how: string) => eventsOf(celeryProgress({ pollMs: 20, maxPollMs: 50 }), `${server.url}/celery-progress`, { job: await start(how) })
  const step = (current: number): [string, unknown] => ['progress', { current, total: 4, ratio: current / 4, message: `step ${current}` }]

  describeBackend(
    'celeryProgress',
    underTest(subjects.celeryProgress, async () => ({ url: `${server.url}/celery-progress`, job: server.job, close() {} }))
  )

  test('a task delivers each step and its result', async () => {
    const events = brief(await follow('go'))
    expect(events.filter(([type]) => type === 'progress').slice(0, 3)).toEqual([step(1), step(2), step(3)])
    expect(events.at(-1)).toEqual(['succeeded', { url: '/report.pdf' }])
  })

  test('a task that raises has failed', async () => {
    expect(brief(await follow('fail')).at(-1)).toEqual(['failed', { code: 'failed', message: 'the disk is full' }])
  })

  test('a task that is retried goes on after its RETRY, though that says `complete`', async () => {
    const events = brief(await follow('retry'))
    expect(events.map(([type]) => type)).toContain('retrying')
    expect(events.slice(events.findIndex(([type]) => type === 'retrying') + 1).slice(0, 3)).toEqual([step(1), step(2), step(3)])
    expect(events.at(-1)).toEqual(['succeeded', { url: '/report.pdf' }])
  })

  test('a custom state is a stage, though it says `complete`', async () => {
    const events = brief(await follow('custom'))
    expect(events).toContainEqual(['progress', { stage: 'UPLOADING' }])
    expect(events.at(-1)).toEqual(['succeeded', { url: '/report.pdf' }])
  })

  test('a revoked task is cancelled once its time has come', async () => {
    const job = await start('later')
    await fetch(`${server.url}/revoke/${job}/`)
    const { result } = clientOf(celeryProgress({ pollMs: 20, maxPollMs: 50 }), `${server.url}/celery-progress`).subscribe(job)
    await expect(result).rejects.toMatchObject({ code: 'cancelled' })
  })
})
