import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { serve } from '../server/serve.ts'
import { binary, jobtail } from './command.ts'
import { listen } from './kit.ts'

const WAIT = { timeout: 20_000 }
const TEST_MS = 60_000

describe('following a job to its end', () => {
  test('prints a line for each event, and exits with 0 on success', async () => {
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
    ['succeeded', null, 0],
    ['failed', { code: 'broken', message: 'no' }, 1],
    ['cancelled', {}, 3]
  ])('exits with a code of its own if the job %s', async (type, data, code) => {
    const { base, jobs } = await serve()
    await jobs.publish('1', type, data)
    for (const url of [`${base}/1/events`, `${base}/1/`, `${base.replace('http://', '')}/1`]) expect(await binary([url])).toMatchObject({ code, err: '' })
  })

  test('prints JSON, from a cursor on, over one transport', async () => {
    const { base, jobs } = await serve()
    const { id } = await jobs.publish('1', 'started')
    const event = await jobs.publish('1', 'succeeded', 7)
    for (const transport of ['websocket', 'sse', 'long-poll', 'short-poll']) {
      const { code, out } = await jobtail([`${base}/1`, '--json', '--after', id, '--only', transport])
      expect(code).toBe(0)
      expect(JSON.parse(out)).toEqual(event)
    }
  })

  test("exits with the code of the job's end if the cursor is there already", async () => {
    const { base, jobs } = await serve()
    const { id } = await jobs.publish('1', 'failed', { code: 'broken', message: 'no' })
    expect(await jobtail([`${base}/1`, '--after', id])).toMatchObject({ code: 1, out: '' })
  })

  test("with --result prints only the result's JSON to stdout", async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'started')
    await jobs.publish('1', 'log', { level: 'info', message: 'on its way' })
    await jobs.publish('1', 'succeeded', { url: '/1', '\u001b': 'x' })
    await jobs.publish('2', 'failed', { code: 'broken', message: 'no' })
    await jobs.publish('3', 'succeeded')
    const { code, out, err } = await binary(['follow', `${base}/1`, '--result'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({ url: '/1', '\u001b': 'x' })
    expect(err).toContain('on its way')
    expect(await binary([`${base}/2`, '--result'])).toMatchObject({ code: 1, out: '', err: expect.stringContaining('failed {"code":"broken"') })
    expect(await binary([`${base}/3`, '--result'])).toMatchObject({ code: 0, out: 'null\n' })
  })
})

describe('a job that cannot be followed', { timeout: TEST_MS }, () => {
  test('is unknown: says that it waits, then exits with 69', async () => {
    const { base } = await serve()
    const { code, err } = await binary([`${base}/1`])
    expect(code).toBe(69)
    expect(err).toMatch(/^jobtail: waiting for the job to appear…\njobtail: job 1: the server said 404 unknown-job.*\n$/)
  })

  test('appears meanwhile: is followed', async () => {
    const { base, jobs } = await serve()
    const running = binary([`${base}/1`])
    await vi.waitFor(() => expect(running.err()).toContain('waiting for the job to appear'), WAIT)
    await jobs.publish('1', 'succeeded')
    expect(await running).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') })
  })

  test.each([[[]], [['get']], [['cancel']], [['start']], [['start', '--follow']], [['check', '--yes']]])(
    'on a closed port: is reported at once, in one line (%j)',
    async (command) => {
      const { base, server } = await serve()
      server.close()
      const url = command[0] === 'start' || command[0] === 'check' ? base : `${base}/1`
      const { code, out, err } = await binary([...command, url])
      expect({ code, out }).toEqual({ code: 69, out: command[0] === 'check' ? expect.any(String) : '' })
      expect(err).toMatch(/ECONNREFUSED/)
      expect(err).not.toMatch(/CORS|mixed content|trying/)
      expect(err.split('\n').filter((line) => !line.includes('this check starts'))).toHaveLength(2)
    }
  )

  test('on a host that accepts connections but never answers: is given up after one race', async () => {
    const silent = net.createServer(() => {})
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as AddressInfo // as: it listens on TCP
    const { code, err } = await binary([`localhost:${port}/jobs/1`])
    expect({ code, err }).toEqual({ code: 69, err: expect.stringMatching(/^jobtail: cannot reach .*\n$/) })
  })

  test('is waited for with --retry, until --timeout', async () => {
    const { base, jobs, server, port } = await serve()
    await jobs.publish('1', 'succeeded')
    server.close()
    await once(server, 'close')
    expect(await binary([`${base}/1`, '--retry', '--timeout', '1s'])).toMatchObject({ code: 124, err: expect.stringContaining('has not ended within 1 s') })
    for (const command of [['get'], ['cancel']]) expect(await binary([...command, `${base}/1`, '--retry', '--timeout', '1'])).toMatchObject({ code: 124 })
    const running = binary([`${base}/1`, '--retry'])
    await vi.waitFor(() => expect(running.err()).toContain('ECONNREFUSED'), WAIT)
    server.listen(port, '127.0.0.1')
    expect(await running).toMatchObject({ code: 0 })
  })

  test('on a server that speaks the protocol only later: is waited for', async () => {
    const { base: behind, jobs } = await serve()
    await jobs.publish('1', 'succeeded')
    let isDeploying = true
    const front = http.createServer(async ({ url }, response) => {
      if (isDeploying) return response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway')
      const answer = await fetch(new URL(url ?? '', behind))
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(await answer.text())
    })
    const running = binary([`${await listen(front, onTestFinished)}/1`, '--only', 'short-poll'])
    await vi.waitFor(() => expect(running.err()).toMatch(/502.*; trying again…/), WAIT)
    expect(running.err()).not.toContain('CORS')
    isDeploying = false
    expect(await running).toMatchObject({ code: 0 })
  })

  test.each([[[]], [['get']], [['cancel']]])('is named by the base URL: the error says so (%j)', async (command) => {
    const { base } = await serve()
    for (const url of [base, `${base}/`]) {
      const { code, out, err } = await binary([...command, url])
      expect({ code, out, err }).toEqual({
        code: 2,
        out: '',
        err: `jobtail: ${base} looks like {base}, the URL below which all jobs are: expected a job's URL, ${base}/{id}\n`
      })
    }
  })

  test('takes longer than --timeout: exits with 124, and the job goes on', async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'started')
    const { code, out, err } = await binary([`${base}/1`, '--timeout', '2s'])
    expect({ code, out, err }).toEqual({ code: 124, out: expect.stringContaining('started'), err: 'jobtail: job 1 has not ended within 2 s\n' })
  })
})

describe('leaving a job', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ] as const)('%s detaches and exits with %i', async (signal, code) => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'started')
    const running = binary([`${base}/1`])
    await vi.waitFor(() => expect(running.out()).toContain('started'), WAIT)
    running.interrupt(signal)
    expect(await running).toMatchObject({ code, err: 'jobtail: detached; the job goes on\n' })
  })

  test('a closed stdout detaches', async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'started')
    const running = binary([`${base}/1`])
    await vi.waitFor(() => expect(running.out()).toContain('started'), WAIT)
    running.hangUp()
    await jobs.publish('1', 'output')
    expect(await running).toMatchObject({ code: 130, err: 'jobtail: detached; the job goes on\n' })
  })
})

test('--verbose prints what the connection does, in order', async () => {
  const { base, jobs } = await serve()
  await jobs.publish('1', 'succeeded')
  const { err } = await binary([`${base}/1`, '--verbose'])
  const lines = err.trim().split('\n')
  const times = lines.map((line) => Number(/^jobtail: \+([\d.]+) s /.exec(line)?.[1]))
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(err).toContain('job 1 ended: succeeded')
})
