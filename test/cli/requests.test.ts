import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { serve } from '../server/serve.ts'
import { binary } from './command.ts'
import { listen } from './kit.ts'

const WAIT = { timeout: 20_000 }

async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-cli-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'file')
  await writeFile(path, text)
  return path
}

/** Starts jobs whose result is their input. */
const echo = () => serve({ start: async (_, input) => ({ input }) })

describe('start', () => {
  test('prints the URL of the job, which other commands accept', async () => {
    const { base } = await echo()
    const { code, out, err } = await binary(['start', base, '-d', '{"pages":3}'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(new RegExp(`^${base}/[\\w-]+\\n$`))
    expect(JSON.parse((await binary([out.trim(), '--result'])).out)).toEqual({ input: { pages: 3 } })
    expect(JSON.parse((await binary(['start', base, '--json'])).out)).toMatchObject({ id: expect.any(String), url: expect.stringContaining(base) })
  })

  test('takes its input from an argument, a file, stdin, or {}', async () => {
    const { base } = await echo()
    const result = async (args: string[], stdin = '') => JSON.parse((await binary(['start', base, '--follow', '--result', ...args], { stdin })).out).input
    expect(await result([])).toEqual({})
    expect(await result(['--data', '"text"'])).toBe('text')
    expect(await result(['-d', `@${await fileOf('[1,\n2]\n')}`])).toEqual([1, 2])
    expect(await result(['-d', '-'], '{"from":"stdin"}\n')).toEqual({ from: 'stdin' })
  })

  test("with --follow exits with the code of the job's end", async () => {
    const { base } = await serve({
      async start() {
        throw new Error('no')
      }
    })
    const { code, out, err } = await binary(['start', base, '--follow'])
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^jobtail: started http.*\n$/) })
    expect(out).toContain('failed')
  })

  test('makes one job of two starts with one key', async () => {
    const { base } = await echo()
    const urls = await Promise.all(
      [1, 2].map(async () => (await binary(['start', base, '--idempotency-key', 'order-7', '--header', 'authorization: Bearer me'])).out)
    )
    expect(urls[0]).toBe(urls[1])
    expect(urls[0]).toContain(base)
  })

  test("rejects a server that starts no jobs, and a job's URL in place of the base URL", async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'started')
    for (const url of [base, `${base}/1`])
      expect(await binary(['start', url])).toMatchObject({
        code: 69,
        out: '',
        err: expect.stringContaining('start expects {base}, the URL below which the jobs are')
      })
  })

  test.each([
    [['-d', '{'], 'expected JSON, got {'],
    [['-d', ''], 'expected JSON, got nothing'],
    [['-d', '@/nowhere/at/all'], 'expected a readable file, got ENOENT'],
    [['-d', '-', '--token', '-'], 'expected only one of them to read stdin'],
    [['--result'], 'expected together with --follow'],
    [['--idempotency-key', ''], '--idempotency-key: expected visible ASCII'],
    [['--after', 'tail'], '--after is no option of start']
  ])('refuses %j', async (args, said) => {
    expect(await binary(['start', 'http://127.0.0.1:1/jobs', ...args])).toMatchObject({ code: 2, out: '', err: expect.stringContaining(said) })
  })

  test('when interrupted, prints how to request the same job again', async () => {
    const asked = Promise.withResolvers<void>()
    const base = await listen(
      http.createServer(() => asked.resolve()),
      onTestFinished
    )
    const running = binary(['start', base, '--idempotency-key', 'order-7'])
    await asked.promise
    running.interrupt('SIGTERM')
    expect(await running).toMatchObject({ code: 143, out: '', err: expect.stringContaining('repeat with --idempotency-key order-7 to get the same job') })
  })
})

describe('cancel', () => {
  test('requests it, and the follower sees the job cancelled and exits with 3', async () => {
    const { base } = await serve({ start: (job) => new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve())) })
    const following = binary(['start', base, '--follow'])
    await vi.waitFor(() => expect(following.out()).toContain('started'), WAIT)
    const url = /started (\S+)/.exec(following.err())?.[1] ?? ''
    expect(await binary(['cancel', url])).toMatchObject({ code: 0, out: expect.stringContaining('accepted'), err: '' })
    expect(await following).toMatchObject({ code: 3 })
    expect(await binary(['get', url, '--result'])).toMatchObject({ code: 3, out: '' })
  })

  test('of an unknown job exits with 69', async () => {
    const { base } = await serve()
    expect(await binary(['cancel', `${base}/1`])).toMatchObject({ code: 69, out: '', err: expect.stringContaining('404') })
  })
})

describe('get', () => {
  test('prints the snapshot', async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'started')
    await jobs.publish('1', 'progress', { current: 1, total: 4 })
    expect(await binary(['get', `${base}/1`])).toEqual({ code: 0, out: '1 running 25% 1/4\n', err: '' })
    expect(JSON.parse((await binary(['get', `${base}/1`, '--json'])).out)).toMatchObject({ id: '1', status: 'running', seq: 2 })
    expect(await binary(['get', `${base}/1`, '--result'])).toMatchObject({ code: 75, out: '', err: 'jobtail: job 1 has not ended yet: it is running\n' })
    await jobs.publish('1', 'succeeded', { url: '/1' })
    expect(await binary(['get', `${base}/1`, '--result'])).toEqual({ code: 0, out: '{"url":"/1"}\n', err: '' })
    await jobs.publish('2', 'failed', { code: 'broken', message: 'no' })
    expect(await binary(['get', `${base}/2`, '--result'])).toMatchObject({ code: 1, out: '', err: expect.stringContaining('broken') })
  })
})

describe('the token', () => {
  const secret = () => serve({ authorize: ({ request }) => request.headers.get('authorization') === 'Bearer s3cret' })

  test('comes from an argument, a file, stdin or the environment', async () => {
    const { base, jobs } = await secret()
    await jobs.publish('1', 'succeeded')
    const url = `${base}/1`
    const path = await fileOf('s3cret\n')
    for (const ran of [
      binary([url, '--token', 's3cret']),
      binary([url, '--token-file', path], { env: { JOBTAIL_TOKEN: 'wrong' } }),
      binary([url, '--token', '-'], { stdin: 's3cret\n' }),
      binary([url, '--token-file', '-'], { stdin: 's3cret' }),
      binary([url], { env: { JOBTAIL_TOKEN: 's3cret' } }),
      binary(['get', url], { env: { JOBTAIL_TOKEN: 's3cret' } }),
      binary(['cancel', url], { env: { JOBTAIL_TOKEN: 's3cret' } })
    ])
      expect(await ran).toMatchObject({ code: 0, err: '' })
  })

  test('is wrong or missing: exits with 69, and prints nothing of it', async () => {
    const { base } = await secret()
    for (const command of [[], ['get'], ['cancel']]) {
      const { code, err } = await binary([...command, `${base}/1`, '--token', 'h1dden'])
      expect(code).toBe(69)
      expect(err).toMatch(/40[13]/)
      expect(err).not.toContain('h1dden')
    }
  })

  test.each([
    [['--token', 'h1dden two'], {}, '--token: expected a token of characters that a header can carry'],
    [['--token-file', '/nowhere/at/all'], {}, '--token-file: expected a readable file'],
    [['--token-file', '/dev/null'], {}, '--token-file /dev/null: expected a token'],
    [['--token', '-'], {}, 'the token on stdin: expected a token'],
    [[], { JOBTAIL_TOKEN: 'h1dden two' }, 'JOBTAIL_TOKEN: expected a token'],
    [['--token', 'h1dden', '--token-file', 'x'], {}, 'expected only one of them']
  ])('%j is refused', async (args, env, said) => {
    const { code, err } = await binary(['http://127.0.0.1:1/jobs/1', ...args], { env })
    expect(code).toBe(2)
    expect(err).toContain(said)
    expect(err).not.toContain('h1dden')
  })
})
