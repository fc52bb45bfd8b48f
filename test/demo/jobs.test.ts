import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { runJob } from '../../demo/jobs.ts'
import type { JobContext } from '../../src/server/index.ts'

/** A job's context that records what the work says. */
function createContext() {
  const stop = new AbortController()
  const said: [string, unknown][] = []
  const say =
    (type: string) =>
    async (data: unknown): Promise<void> => {
      said.push([type, data])
    }
  const job: JobContext = {
    attempt: 1,
    id: '1',
    signal: stop.signal,
    progress: say('progress'),
    log: say('log'),
    output: say('output'),
    publish: async (type, data) => say(type)(data)
  }
  return { job, said, stop, of: (type: string) => said.filter(([is]) => is === type).map(([, data]) => data) }
}

// The test's own folder for temporary files, since other demos may run on this machine.
const temporary = mkdtempSync(join(tmpdir(), 'jobtail-test-'))
vi.stubEnv('TMPDIR', temporary)
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(temporary, { recursive: true })
})
const leftOver = (): string[] => readdirSync(temporary)

test('export: progress up to the end, the same digest each time, nothing left on the disk', async () => {
  const [a, b] = [createContext(), createContext()]
  const result = await runJob(a.job, { kind: 'export', events: 50, intervalMs: 0 })
  expect(result).toMatchObject({ orders: 48_000, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(a.of('progress')).toHaveLength(50)
  expect(a.of('progress').at(-1)).toMatchObject({ ratio: 1, current: 48_000, total: 48_000, unit: 'orders' })
  expect(a.of('log').at(-1)).toBe('48,000 orders written')
  expect(await runJob(b.job, { kind: 'export', events: 7, intervalMs: 0 })).toEqual(result)
  expect(leftOver()).toEqual([])
})

test('export: a cancelled one stops and leaves nothing on the disk', async () => {
  const { job, stop, of } = createContext()
  const work = runJob(job, { kind: 'export', events: 50, intervalMs: 10_000 })
  await expect.poll(() => of('progress').length).toBe(1)
  expect(leftOver()).toHaveLength(1)
  stop.abort()
  await expect(work).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
  expect(leftOver()).toEqual([])
})

test('fail: says which row is wrong, and is right about it', async () => {
  const { job, of } = createContext()
  const failure: unknown = await runJob(job, { kind: 'fail', events: 40, intervalMs: 0 }).catch((error: unknown) => error)
  expect(failure).toMatchObject({
    code: 'invalid-row',
    message: expect.stringMatching(/^row \d+: the check digits of DE\d{20} are \d\d, they should be \d\d$/)
  })
  expect(of('progress').length).toBeGreaterThan(20)
  expect(of('progress').length).toBeLessThan(40)
})

test('stream: as many words as were asked for', async () => {
  const { job, of } = createContext()
  expect(await runJob(job, { kind: 'stream', events: 60, intervalMs: 0 })).toMatchObject({ words: 60, characters: of('output').join('').length })
  expect(of('output')).toHaveLength(60)
})

test.each([undefined, null, {}, { kind: 'toString' }, { kind: 'export', events: 0 }, { kind: 'export', events: 1.5 }, { kind: 'stream', intervalMs: '5' }])(
  'input %j is refused',
  async (input) => {
    await expect(runJob(createContext().job, input)).rejects.toMatchObject({ code: 'bad-input', message: expect.stringContaining('expected') })
  }
)
