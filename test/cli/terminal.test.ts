import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { hasColour } from '../../src/cli/terminal/colour.ts'
import { createEventPrinter } from '../../src/cli/terminal/event-printer.ts'
import { duration } from '../../src/cli/terminal/progress.ts'
import type { JobEvent } from '../../src/types.ts'
import { serve } from '../server/serve.ts'
import { binary, MAIN } from './command.ts'

const time = '2026-11-21T01:02:03.456Z'
const event = (type: string, data: unknown, at = time) => ({ id: '1', seq: 1, job: '1', time: at, type, data }) as JobEvent // as: of any type

function printer(columns: number | undefined, progress: 'auto' | 'bar' | 'plain' | 'none' = 'auto', env: Record<string, string> = { NO_COLOR: '1' }) {
  let written = ''
  const sink = {
    write(text: string) {
      written += text
    },
    columns: () => columns
  }
  return { ...createEventPrinter(sink, { progress }, env), text: () => written }
}

function printed(columns: number | undefined, ...events: JobEvent[]): string {
  const { event, end, text } = printer(columns)
  for (const each of events) event(each)
  end()
  return text()
}

describe('on a terminal', () => {
  test('progress is one line that is redrawn, and times count from the first event', () => {
    const text = printed(
      80,
      event('started', null, '2026-11-21T01:00:00.000Z'),
      event('progress', { ratio: 0.1 }, '2026-11-21T01:00:10.000Z'),
      event('progress', { ratio: 0.5, stage: 'render' }, '2026-11-21T01:01:05.000Z'),
      event('succeeded', null, '2026-11-21T02:03:04.000Z')
    )
    expect(text).toBe(
      `   +0s started\n\r\x1b[K[${'#'.repeat(3)}${' '.repeat(27)}] 10s, 1:30 left 10%\r\x1b[K[${'#'.repeat(15)}${' '.repeat(15)}] 1:05, 1:05 left 50% render\n+1:03:04 succeeded\n`
    )
  })

  test('progress is cut to one line, since a longer one could not be redrawn', () => {
    const [, line = ''] = printed(60, event('progress', { ratio: 0.5, message: 'x'.repeat(200) })).split('\x1b[K')
    expect(line).toHaveLength(60)
    expect(line.endsWith('x\n')).toBe(true)
  })

  test('data of an unknown shape is printed too', () => {
    const text = printed(
      80,
      event('progress', null),
      event('progress', { ratio: 'half' }),
      event('progress', { ratio: 7 }),
      event('log', null),
      event('gap', { missed: undefined, reason: 'epoch' }),
      event('constructor', {}, 'never')
    )
    expect(text).toContain('gap an unknown number of events were lost (epoch)')
    expect(text).toContain('+0s constructor {}')
  })
})

test.each([
  [0, '0s'],
  [59_400, '59s'],
  [59_600, '1:00'],
  [3_599_600, '1:00:00'],
  [7_384_000, '2:03:04']
])('%i ms is %s', (ms, said) => {
  expect(duration(ms)).toBe(said)
})

test('control characters of a server move no cursor', () => {
  const said = printed(
    undefined,
    event('log', { level: 'in\x1b[31mfo', message: 'a\x1b[2Jb\x9b31mc\r\nd' }),
    event('x\x1b[2J', 'y\x1b'),
    event('y', null, '\x1b[2J')
  )
  expect(said).toBe(`${time} log in [31mfo a [2Jb 31mc d\n${time} x [2J "y\\u001b"\n [2J y\n`)
})

describe('without a terminal', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const steps = (text: string) => [...text.matchAll(/progress (\d+)%/g)].map(([, percent]) => Number(percent))

  test('progress is at most one line a second, and the last one comes before the end', () => {
    const { event: show, text } = printer(undefined)
    for (let ms = 0; ms < 10_000; ms++) {
      show(event('progress', { ratio: ms / 10_000 }))
      vi.advanceTimersByTime(1)
    }
    show(event('succeeded', null))
    expect(steps(text()).length).toBeLessThanOrEqual(12)
    expect(steps(text())).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100].slice(0, steps(text()).length))
    expect(text()).toMatch(/progress 100%\n.*succeeded\n$/)
  })

  test('progress that was held back is printed after a second, without another event', () => {
    const { event: show, end, text } = printer(undefined)
    for (const ratio of [0.1, 0.2, 0.3]) show(event('progress', { ratio }))
    expect(steps(text())).toEqual([10])
    vi.advanceTimersByTime(1000)
    expect(steps(text())).toEqual([10, 30])
    show(event('progress', { ratio: 0.4 }))
    end()
    expect(steps(text())).toEqual([10, 30, 40])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('--progress overrides the choice', () => {
    const bar = printer(undefined, 'bar')
    bar.event(event('progress', { ratio: 0.5 }))
    expect(bar.text()).toContain('[####')
    const none = printer(80, 'none')
    none.event(event('progress', { ratio: 0.5 }))
    none.event(event('log', { level: 'info', message: 'hi' }))
    none.end()
    expect(none.text()).toMatch(/^ {3}\+0s log info hi\n$/)
  })
})

test.each([
  [undefined, {}, false],
  [80, {}, true],
  [80, { NO_COLOR: '1' }, false],
  [80, { NO_COLOR: '' }, true],
  [80, { TERM: 'dumb' }, false],
  [undefined, { FORCE_COLOR: '1' }, true],
  [undefined, { FORCE_COLOR: '' }, true],
  [80, { FORCE_COLOR: '0' }, false],
  [undefined, { FORCE_COLOR: '3', NO_COLOR: '1' }, true]
])('with %j columns and %j there are colours: %s', (columns, env, expected) => {
  expect(hasColour({ write() {}, columns: () => columns }, env)).toBe(expected)
})

test('each status has its colour', async () => {
  const { base, jobs } = await serve()
  await jobs.publish('1', 'log', { level: 'warn', message: 'careful' })
  await jobs.publish('1', 'failed', { code: 'x', message: 'no' })
  const coloured = await binary([`${base}/1`], { env: { FORCE_COLOR: '1' } })
  expect(coloured.out).toContain('\x1b[31mfailed\x1b[39m')
  expect(coloured.out).toContain('\x1b[33mwarn\x1b[39m')
  expect((await binary([`${base}/1`])).out).not.toContain('\x1b')
  expect((await binary([`${base}/1`], { env: { NO_COLOR: '1' } })).out).not.toContain('\x1b')
})

test('a real terminal gets a bar, colours and relative times, and a pipe gets few lines', async () => {
  const { base, jobs } = await serve()
  await jobs.publish('1', 'started')
  for (let current = 1; current <= 500; current++) await jobs.publish('1', 'progress', { current, total: 500 })
  await jobs.publish('1', 'succeeded')
  const shell = spawn('script', ['-qec', `'${process.execPath}' '${MAIN}' ${base}/1`, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const shown = await text(shell.stdout)
  expect(shown).toContain('\x1b[32msucceeded\x1b[39m')
  expect(shown).toContain(`\r\x1b[K[${'#'.repeat(30)}]`)
  expect(shown).toContain('+0s')
  expect(shown).not.toContain('T') // the T of a full time
  const { out } = await binary([`${base}/1`])
  expect(out.split('\n').filter((line) => line.includes('progress')).length).toBeLessThanOrEqual(5)
  expect(out).not.toContain('\x1b')
  expect((await binary([`${base}/1`, '--progress', 'none'])).out).not.toContain('progress')
})
