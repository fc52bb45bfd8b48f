/** `jobtail <url> --backend …`: other servers' jobs in a terminal. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DurableStreamTestServer } from '@durable-streams/server'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import * as backends from '../../src/backends.ts'
import { BACKENDS } from '../../src/cli/arguments/backends.ts'
import { startA2a } from '../backends/a2a-server.ts'
import { type ForeignServer, serveDocument, serveStream } from '../backends/foreign-server.ts'
import { binary, jobtail } from './command.ts'

const WAIT = { timeout: 20_000 }

/** The printed lines without their times. */
const lines = (out: string): string[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(25))

function stopped<S extends { close(): Promise<void> | void }>(server: S): S {
  onTestFinished(() => server.close())
  return server
}

async function finished(server: ForeignServer): Promise<string> {
  const { id, step, end } = server.job()
  for (const n of [1, 2]) await step(n)
  await end()
  return `${server.url}/${id}`
}

async function moduleOf(code: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'read.mjs')
  await writeFile(path, code)
  return path
}

test('names each backend, and no other', () => {
  expect(BACKENDS).toEqual(Object.keys(backends).sort())
})

describe('follows', () => {
  test('an event stream as it comes, through a cut', async () => {
    const server = stopped(
      await serveStream({
        type: 'text/event-stream',
        write: (step, n) => (step === undefined ? 'data: [DONE]\n\n' : `id: ${n}\ndata: ${JSON.stringify({ step })}\n\n`),
        from: ({ headers }) => Number(headers['last-event-id'] ?? 0)
      })
    )
    const { id, step, end } = server.job()
    const running = jobtail([`${server.url}/${id}`, '--backend', 'plainSse'])
    await step(1)
    await vi.waitFor(() => expect(running.out()).toContain('{"step":1}'), WAIT)
    await step(2)
    await end()
    const { code, out, err } = await running
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(lines(out)).toEqual(['output {"step":1}', 'output {"step":2}', 'succeeded'])
    expect((await jobtail([`${server.url}/${id}`, '--backend', 'plainSse', '--after', '1.0.1'])).out).not.toContain('"step":1')
  })

  test('lines that have no ids, with options, as a process of its own', async () => {
    const server = stopped(
      await serveStream({ type: 'application/x-ndjson', write: (step) => (step === undefined ? 'over\n' : `${JSON.stringify({ step })}\n`), from: () => 0 })
    )
    const options = ['--backend-option', 'promises=replay', '--backend-option', 'end=over', '--backend-option', 'heartbeatMs=1000']
    const { code, out, err } = await binary([await finished(server), '--backend', 'ndjson', ...options])
    expect({ code, err, lines: lines(out) }).toEqual({ code: 0, err: '', lines: ['output {"step":1}', 'output {"step":2}', 'succeeded'] })
  })

  test('a document, read as a module says, with its result alone', async () => {
    const server = stopped(await serveDocument((step, isOver) => ({ step, isOver })))
    const read = await moduleOf("export default ({ step, isOver }) => (isOver ? [['succeeded', { step }]] : [['progress', { current: step, total: 2 }]])")
    const url = await finished(server)
    expect(await binary([url, '--backend', 'statusPoll', '--backend-option', `read=@${read}`, '--result'])).toMatchObject({ code: 0, out: '{"step":2}\n' })
  })

  test("a Durable Streams server's stream", async () => {
    const server = new DurableStreamTestServer({ port: 0, host: '127.0.0.1' })
    const url = `${await server.start()}/jobs/1`
    onTestFinished(() => server.stop())
    const send = (method: string, body?: unknown, headers = {}) =>
      fetch(url, { method, headers: { 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    await send('PUT')
    await send('POST', [{ step: 1 }])
    await send('POST', undefined, { 'stream-closed': 'true' })
    const { code, out } = await jobtail([url, '--backend', 'durableStreams'])
    expect({ code, lines: lines(out) }).toEqual({ code: 0, lines: ['output {"step":1}', 'succeeded {"step":1}'] })
  })

  test("an agent's task, by its id and the agent's URL", async () => {
    const agent = stopped(await startA2a())
    const task = await agent.task()
    const running = jobtail([agent.url, '--id', task.id, '--backend', 'a2a'])
    task.say('TASK_STATE_WORKING', 'reading')
    await vi.waitFor(() => expect(running.out()).toContain('reading'), WAIT)
    task.say('TASK_STATE_FAILED', 'no paper')
    task.finish()
    const { code, out } = await running
    expect({ code, last: lines(out).at(-1) }).toEqual({ code: 1, last: 'failed {"code":"failed","message":"no paper"}' })
  })
})

test('a job that the server does not know', async () => {
  const server = stopped(await serveDocument(() => ({})))
  const { code, err } = await jobtail([`${server.url}/none`, '--backend', 'statusPoll', '--timeout', '20'])
  expect(code).toBe(69)
  expect(err).toContain('404')
}, 30_000)

const URL = 'http://127.0.0.1:9/jobs/1'

test.each([
  [[URL, '--backend', 'sse'], '--backend: expected one of a2a, aiSdk, '],
  [[URL, '--backend-option', 'a=1'], '--backend-option: expected together with --backend'],
  [[URL, '--id', '1'], '--id: expected together with --backend'],
  [[URL, '--backend', 'plainSse', '--only', 'sse'], '--only and --backend: expected only one of them'],
  [[URL, '--backend', 'plainSse', '--backend-option', 'lossy'], '--backend-option: expected name=value, got lossy'],
  [[URL, '--backend', 'statusPoll', '--backend-option', 'polMs=1'], '--backend-option polMs: statusPoll has maxPollMs, pollMs, read, request, staleAfterMs, '],
  [[URL, '--backend', 'statusPoll', '--backend-option', 'pollMs=soon'], '--backend-option pollMs: expected a number of milliseconds, got soon'],
  [[URL, '--backend', 'plainSse', '--backend-option', 'promises=state'], '--backend-option promises: expected one of log, replay, lossy, got state'],
  [[URL, '--backend', 'plainSse', '--backend-option', 'read=@/none.mjs'], '--backend-option read: expected a module with a default export, got /none.mjs: '],
  [
    [URL, '--backend', 'plainSse', '--backend-option', 'read=progress'],
    '--backend-option read: expected @file, a module whose default export is the value, got'
  ],
  [[URL, '--backend', 'plainSse', '--backend-option', 'cursor=after'], '--backend-option cursor: expected header, or {"parameter":"name"}, got after'],
  [[URL, '--backend', 'plainSse', '--backend-option', 'end='], '--backend-option end: expected text, or {"event":"name"}, or a list of these, got nothing'],
  [
    [URL, '--backend', 'ndjson', '--backend-option', 'end=["a",{"event":3}]'],
    '--backend-option end: expected text, or {"event":"name"}, or a list of these, got'
  ],
  [[URL, '--backend', 'statusPoll', '--backend-option', 'takes=500'], '--backend-option takes: expected a list of statuses, such as [500], got 500'],
  [[URL, '--backend', 'plainSse', '--after', 'x'], '--after: expected the id of an event of this backend, got x'],
  [['http://127.0.0.1:9', '--backend', 'plainSse'], 'expected the URL of a job, {base}/{id}, or --id'],
  [['start', URL, '--backend', 'plainSse'], '--backend is no option of start']
])('%j is wrong usage', async (args, message) => {
  const { code, err } = await jobtail(args)
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) })
})
