import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createPrinter } from '../../src/cli/print.ts'
import type { JobEvent } from '../../src/types.ts'
import { serve } from '../server/serve.ts'
import { jobtail } from './command.ts'

const WAIT = { timeout: 20_000 }

describe('a job is followed to its end', () => {
  test('a line for each event; 0 where it succeeded', async () => {
    const { base, jobs } = await serve()
    await jobs.publish('a job', 'started')
    await jobs.publish('a job', 'progress', { current: 5, total: 10, unit: 'pages', message: 'half' })
    const running = jobtail([`${base}/a%20job`])
    await vi.waitFor(() => expect(running.out()).toContain('half'), WAIT)
    await jobs.publish('a job', 'log', { level: 'warn', message: 'careful' })
    await jobs.publish('a job', 'succeeded', { url: '/1' })
    const { code, out } = await running
    expect(out.split('\n').map((line) => line.slice(25))).toEqual(['started', 'progress 50% 5/10 pages half', 'log warn careful', 'succeeded {"url":"/1"}', ''])
    expect(code).toBe(0)
  })

  test.each([
    ['failed', { code: 'broken', message: 'no' }],
    ['cancelled', {}]
  ])('1 where it %s', async (type, data) => {
    const { base, jobs } = await serve()
    await jobs.publish('1', type, data)
    expect(await jobtail([`${base}/1/events`])).toMatchObject({ code: 1 })
  })

  test('as JSON, from a cursor on, over one transport', async () => {
    const { base, jobs } = await serve()
    const { id } = await jobs.publish('1', 'started')
    const event = await jobs.publish('1', 'succeeded', 7)
    for (const transport of ['websocket', 'sse', 'long-poll', 'short-poll']) {
      const { code, out } = await jobtail([`${base}/1`, '--json', '--after', id, '--only', transport])
      expect(code).toBe(0)
      expect(JSON.parse(out)).toEqual(event)
    }
  })

  test('that is behind already: what the snapshot says', async () => {
    const { base, jobs } = await serve()
    const { id } = await jobs.publish('1', 'failed', { code: 'broken', message: 'no' })
    expect(await jobtail([`${base}/1`, '--after', id])).toMatchObject({ code: 1, out: '' })
  })

  test('with a token and a header', async () => {
    const { base, jobs } = await serve({ authorize: ({ request }) => request.headers.get('authorization') === 'Bearer secret' })
    await jobs.publish('1', 'succeeded')
    expect(await jobtail([`${base}/1`, '--token', 'secret', '--header', 'x-tenant: 7'])).toMatchObject({ code: 0 })
    expect(await jobtail([`${base}/1`, '--token', 'wrong'])).toMatchObject({ code: 2, err: expect.stringContaining('403') })
  })
})

test('2 where there is no such job', { timeout: 60_000 }, async () => {
  const { base } = await serve()
  expect(await jobtail([`${base}/1`])).toMatchObject({ code: 2, err: expect.stringContaining('404 unknown-job') })
})

test('2 where the server is not to be reached, and why', { timeout: 120_000 }, async () => {
  const { base, server } = await serve()
  server.close()
  const { code, err } = await jobtail([`${base}/1`])
  expect(code).toBe(2)
  expect(err).toContain('short-poll (network) (connect ECONNREFUSED')
})

test('it ends where nobody reads what it writes any more', async () => {
  const { base, jobs } = await serve()
  await jobs.publish('1', 'started')
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const running = spawn(process.execPath, [main, `${base}/1`], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void running.kill('SIGKILL'))
  const ended = once(running, 'exit')
  const err = running.stderr.toArray()
  await once(running.stdout, 'data')
  running.stdout.destroy()
  await jobs.publish('1', 'output')
  expect(await ended).toEqual([130, null])
  expect(String(Buffer.concat(await err))).toBe('jobtail: detached; the job goes on\n')
})

test('Ctrl-C detaches', async () => {
  const { base, jobs } = await serve()
  await jobs.publish('1', 'started')
  const running = jobtail([`${base}/1`, '--verbose'])
  await vi.waitFor(() => expect(running.out()).toContain('started'), WAIT)
  running.interrupt()
  expect(await running).toMatchObject({ code: 130, err: expect.stringContaining('detached; the job goes on') })
})

describe('printed', () => {
  const time = '2026-11-21T01:02:03.456Z'
  const event = (type: string, data: unknown) => ({ id: '1', seq: 1, job: '1', time, type, data }) as JobEvent // as: of any type
  const printed = (columns: number | undefined, ...events: JobEvent[]) => {
    let text = ''
    const printer = createPrinter(
      (part) => {
        text += part
      },
      () => columns
    )
    for (const each of events) printer.event(each)
    printer.end()
    return text
  }

  test('on a terminal progress is one line that moves', () => {
    const text = printed(80, event('progress', { ratio: 0.1 }), event('progress', { ratio: 0.5, stage: 'render' }), event('succeeded', null))
    expect(text).toBe(`\r\x1b[K[${'#'.repeat(3)}${' '.repeat(27)}] 10%\r\x1b[K[${'#'.repeat(15)}${' '.repeat(15)}] 50% render\n${time} succeeded\n`)
  })

  test('it has room for one line: what is longer would move down', () => {
    const [, line = ''] = printed(60, event('progress', { ratio: 0.5, message: 'x'.repeat(200) })).split('\x1b[K')
    expect(line).toBe(`[${'#'.repeat(15)}${' '.repeat(15)}] 50% ${'x'.repeat(22)}\n`)
  })

  test('what a server sends moves no cursor', () => {
    expect(printed(undefined, event('log', { level: 'info', message: 'a\x1b[2Jb\x9b31mc\r\nd' }))).toBe(`${time} log info a [2Jb 31mc d\n`)
  })

  test('data of another shape is printed all the same', () => {
    const text = printed(
      80,
      event('progress', null),
      event('progress', { ratio: 'half' }),
      event('log', null),
      event('gap', { missed: undefined, reason: 'epoch' })
    )
    expect(text).toContain('gap an unknown number of events are lost (epoch)')
  })
})
