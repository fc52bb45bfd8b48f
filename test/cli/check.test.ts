import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { GROUPS } from '../../src/cli/check/clause.ts'
import { check, clauses } from '../../src/cli/check/index.ts'
import { serve } from '../server/serve.ts'
import { binary, jobtail, MAIN } from './command.ts'
import { listen, serveKit, TOKEN } from './kit.ts'

const TEST_MS = 120_000
const run = promisify(execFile)

/** A `start` whose jobs end only when they are cancelled. */
const untilCancelled = (job: { signal: AbortSignal }) => new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve()))

describe('check, against our own server,', { timeout: TEST_MS }, () => {
  test('meets every clause, with jobs that it starts', async () => {
    const { base } = await serve({ heartbeatMs: 300, start: untilCancelled })
    const { results } = await check({ base: new URL(base) })
    expect(results.filter(({ outcome }) => outcome === 'finding')).toEqual([])
    const leftOut = results.filter(({ outcome }) => outcome === 'left out').map(({ id }) => id)
    expect(leftOut).toEqual(['json-limits', 'auth-none', 'auth-socket', 'cors-read', 'cors-preflight'])
  })

  test('uses the named jobs if the server starts none', async () => {
    const { base, jobs } = await serve({ heartbeatMs: 300 })
    for (const type of ['started', 'succeeded']) await jobs.publish('done', type, null)
    await jobs.publish('running', 'started')
    const { results } = await check({ base: new URL(base), job: 'done', running: 'running', input: '{}', skip: ['ws-linger'] })
    expect(results.filter(({ outcome }) => outcome === 'finding')).toEqual([])
    expect(results.find(({ id }) => id === 'start')).toMatchObject({ outcome: 'met' })
    expect(results.find(({ id }) => id === 'cancel')).toMatchObject({ outcome: 'left out' })
  })

  test('leaves no job running', async () => {
    const started: string[] = []
    const start = (job: { id: string; signal: AbortSignal }) => {
      started.push(job.id)
      return untilCancelled(job)
    }
    const { base, jobs, get } = await serve({ heartbeatMs: 300, start })
    await check({ base: new URL(base), only: ['resources'] })
    expect(started.length).toBeGreaterThan(2)
    for (const id of started) {
      const reading = await (await get(`/${id}/events?wait=20`)).json()
      expect(JSON.stringify(reading)).toContain('cancelling')
    }
    await jobs.close({ graceMs: 100 })
  })
})

test('leaves no job running when it is interrupted', { timeout: TEST_MS }, async () => {
  const started: string[] = []
  const start = (job: { id: string; signal: AbortSignal }) => {
    started.push(job.id)
    return untilCancelled(job)
  }
  const { base, server, read } = await serve({ heartbeatMs: 300, start })
  const isUnderWay = Promise.withResolvers<void>()
  server.on('request', ({ url }) => url?.includes('/events') && isUnderWay.resolve())
  const running = jobtail(['check', base])
  await isUnderWay.promise
  running.interrupt()
  expect(await running).toMatchObject({ code: 130, err: expect.stringMatching(/^jobtail: this check starts jobs at .*\n$/) })
  expect(started).toHaveLength(3)
  for (const id of started) expect((await read(`/${id}/events?wait=20`)).events.map(({ type }) => type)).toContain('cancelling')
})

describe('the check command', { timeout: TEST_MS }, () => {
  const named = ['--token', TOKEN, '--job', 'done', '--running', 'running', '--cancellable', 'live']

  test('prints what was met, and what was left out and why', async () => {
    const { base } = await serveKit(onTestFinished)
    const { code, out, err } = await jobtail(['check', base, ...named, '--only', 'sse'])
    expect(err).toBe('jobtail: this check cancels job live\n')
    expect(code).toBe(0)
    expect(out).toContain('✓ §4 sse-headers: ')
    expect(out).toContain('0 findings')
    expect(out).not.toContain('ws-')
    expect(out).toContain('\nNever checked from outside:\n')
  })

  test('prints for a finding what was sent, what was expected and what came', async () => {
    const { base } = await serve()
    const { code, out } = await jobtail(['check', `${base}/elsewhere`, '--job', 'done', '--only', 'sse', '--timeout', '2'])
    expect(code).toBe(1)
    expect(out).toMatch(/✗ §4 sse-answers: .*\n {4}asked: {4}GET \/jobs\/elsewhere\/done\/events.*\n {4}expected: 200 text\/event-stream\n {4}came: {5}404/)
  })

  test('prints the same as JSON', async () => {
    const { base } = await serveKit(onTestFinished)
    const { out } = await jobtail(['check', base, ...named, '--only', 'short-poll', '--json'])
    const report = JSON.parse(out)
    expect(report).toMatchObject({ base, verdict: 'met' })
    expect(report.results).toContainEqual({ id: 'json-tail', group: 'short-poll', section: '§2', says: expect.any(String), outcome: 'met' })
  })

  test('exits with 2 if nothing could be checked: left out is not passed', async () => {
    const { base } = await serve()
    const { code, out } = await jobtail(['check', base])
    expect(code).toBe(2)
    expect(out).toContain('POST was answered with 405')
    expect(out).toContain('Nothing could be checked')
  })

  test('exits with 69 if the server cannot be reached', async () => {
    const { base, server } = await serve()
    server.close()
    const { code, out, err } = await jobtail(['check', `${base}?key=secret`])
    expect({ code, out }).toEqual({ code: 69, out: expect.not.stringContaining('✓') })
    expect(err).toMatch(`jobtail: ${base}: expected an answer, got nothing (connect ECONNREFUSED`)
  })

  test('suggests http: if the server at an https: URL speaks http:', async () => {
    const { base } = await serve()
    const { code, err } = await jobtail(['check', base.replace('http:', 'https:')])
    expect(code).toBe(69)
    expect(err).toContain('the server may speak http:, not https:')
  })

  test.each([
    ['a page', 200, { 'content-type': 'text/html' }, '200 text/html'],
    ['a redirect', 302, { location: '/login' }, '302 /login'],
    ['a 404', 404, { 'content-type': 'text/plain' }, '404 text/plain']
  ])('asks whether it is the base URL if the answer is %s', async (_, status, headers, said) => {
    const base = await listen(
      http.createServer((_, response) => response.writeHead(status, headers).end('<!doctype html>')),
      onTestFinished
    )
    const { code, out } = await jobtail(['check', base])
    expect(code).toBe(1)
    expect(out).toContain(`Is ${base} where the jobs are`)
    expect(out).toContain(`no job could be started: POST was answered with ${said}; name jobs with --job`)
    expect(out).not.toContain('left out:')
  })

  test('exits at Ctrl-C', async () => {
    const { base } = await serveKit(onTestFinished)
    const running = jobtail(['check', base, ...named])
    running.interrupt()
    expect(await running).toMatchObject({ code: 130 })
  })

  test.each([
    [['check'], 'one URL'],
    [['check', 'ftp://host/jobs'], 'http: or https:'],
    [['check', 'http://host/jobs', '--only', 'pigeon'], 'one of resources, short-poll'],
    [['check', 'http://host/jobs', '--input', '{'], 'expected JSON'],
    [['check', 'http://host/jobs', '--timeout', 'soon'], 'expected a number of seconds'],
    [['check', 'http://host/jobs', '--timeout', '1e9'], 'at most 3600'],
    [['check', 'http://host/jobs', '--running', '..'], '--running: expected'],
    [['check', 'http://host/jobs', '--origin', 'app.example.com'], '--origin: expected'],
    [['check', 'http://host/jobs', '--origin', 'https://app.example.com/'], '--origin: expected'],
    [['check', 'http://host/jobs', '--after', 'tail'], '--after is no option of'],
    [['check', 'http://host/jobs', '--header', 'x'], '--header'],
    [['http://host/jobs/42', '--job', '1'], '--job is no option of'],
    [['http://host/jobs/42', '--only', 'resources'], 'resources is only for check'],
    [['http://host/jobs/42', '--after', 'no cursor!'], '--after'],
    [['http://host/'], 'the URL of a job'],
    [['--nonsense'], 'nonsense']
  ])('refuses %j', async (args, message) => {
    expect(await jobtail(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) })
  })

  test.each([
    [['http://me:secret@host/jobs/42']],
    [['check', 'http://host/jobs', '--token', 'secret\nof two lines']],
    [['check', 'http://host/jobs', '--header', 'authorization: ✓secret']]
  ])('refuses %j without printing its secret', async (args) => {
    const { code, err } = await jobtail(args)
    expect(code).toBe(2)
    expect(err).not.toContain('secret')
  })

  test('says first what it will do, and asks at a terminal', async () => {
    const { base, server } = await serve({ heartbeatMs: 300, start: async () => null })
    let requests = 0
    server.on('request', () => requests++)
    const questions: string[] = []
    const confirm = async (question: string) => {
      questions.push(question)
      return false
    }
    const refused = await jobtail(['check', base], { confirm })
    expect(refused).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/^jobtail: this check starts jobs at .*, and cancels them in the end\njobtail: the check was not run\n/)
    })
    expect({ questions, requests }).toEqual({ questions: ['Go on? [y/N] '], requests: 0 })
    expect(await jobtail(['check', base, '--only', 'resources', '--yes'], { confirm })).toMatchObject({ code: 0 })
    expect(questions).toHaveLength(1)
    expect(await jobtail(['check', base, '--job', 'done', '--only', 'resources'], { confirm })).toMatchObject({ err: '' })
  })

  test.each([
    ['n', 'n\n', 2],
    ['Ctrl-D', '\x04', 2],
    ['Ctrl-C', '\x03', 130]
  ])('%s at a real terminal ends it before any request', async (_, keys, code) => {
    const { base, server } = await serve({ start: async () => null })
    let requests = 0
    server.on('request', () => requests++)
    const shell = spawn('script', ['-qec', `'${process.execPath}' '${MAIN}' check ${base}`, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void shell.kill('SIGKILL'))
    let shown = ''
    shell.stdout.on('data', (text) => {
      shown += text
      if (String(text).includes('Go on?')) shell.stdin.write(keys)
    })
    expect((await once(shell, 'close'))[0]).toBe(code)
    expect(shown).toContain('starts jobs')
    expect(requests).toBe(0)
  })

  test('checks no clause that is skipped', async () => {
    const { base } = await serveKit(onTestFinished)
    const { out } = await jobtail(['check', base, ...named, '--only', 'sse', '--skip', 'sse-204', '--skip', 'sse-pad'])
    expect(out).toContain('sse-ids')
    expect(out).not.toMatch(/sse-204|sse-pad/)
  })

  test('prints each line as soon as it is known', async () => {
    const { base } = await serveKit(onTestFinished)
    const running = jobtail(['check', base, ...named])
    await vi.waitFor(() => expect(running.out()).toContain('✓'), { timeout: 20_000 })
    expect(running.out()).not.toContain('clauses:')
    expect((await running).out).toContain('clauses:')
  })
})

describe('the reporters', { timeout: TEST_MS }, () => {
  const spoilt = async () => `${(await serve()).base}/else"where`
  const looked = ['--job', 'done', '--only', 'sse', '--timeout', '2']

  test('junit: a document with one test for each clause', async () => {
    const base = await spoilt()
    const { code, out, err } = await binary(['check', base, ...looked, '--reporter', 'junit'])
    expect({ code, err }).toEqual({ code: 1, err: '' })
    const counts = /<testsuite name="jobtail check http[^"]*" tests="(\d+)" failures="(\d+)" errors="0" skipped="(\d+)">/.exec(out)
    expect(out.match(/<testcase /g)).toHaveLength(Number(counts?.[1]))
    expect(out.match(/<failure message="[^"<>]+">asked: /g)).toHaveLength(Number(counts?.[2]))
    expect(out.match(/<skipped message="[^"<>]+"\/>/g)).toHaveLength(Number(counts?.[3]))
    expect(Number(counts?.[2])).toBeGreaterThan(0)
    await run('python3', ['-c', 'import sys, xml.dom.minidom as m; m.parseString(sys.argv[1])', out])
  })

  test('github: an annotation for each finding', async () => {
    const { code, out } = await binary(['check', await spoilt(), ...looked, '--reporter', 'github'])
    expect(code).toBe(1)
    expect(out).toMatch(/^::error title=§4 sse-answers::.*%0Aasked: .*%0Aexpected: .*%0Acame: .*$/m)
    expect(out).toContain('clauses:')
  })

  test('report too that the check could not be run', async () => {
    const { base, server } = await serve()
    server.close()
    const json = await binary(['check', base, '--json'])
    expect(json).toMatchObject({ code: 69, err: expect.stringContaining('ECONNREFUSED') })
    expect(JSON.parse(json.out)).toEqual({ base, results: [], verdict: 'not run', error: expect.stringContaining('ECONNREFUSED') })
    const junit = await binary(['check', base, '--reporter', 'junit'])
    expect(junit).toMatchObject({ code: 69, out: expect.stringMatching(/errors="1".*<error message="[^"]*ECONNREFUSED/s) })
    expect(await binary(['check', base, '--reporter', 'github'])).toMatchObject({ code: 69, out: expect.stringMatching(/^::error .*ECONNREFUSED/m) })
  })

  test('a report for the end leaves the terminal to the progress meanwhile', async () => {
    const { base } = await serveKit(onTestFinished)
    const { out, err } = await jobtail(['check', base, '--token', TOKEN, '--job', 'done', '--only', 'short-poll', '--json'], { columns: 80, env: {} })
    expect(JSON.parse(out)).toMatchObject({ verdict: 'met' })
    expect(err).toContain('\r\x1b[K1/')
  })
})

test('clauses have unique ids, and groups that can be selected', () => {
  expect(new Set(clauses.map(({ id }) => id)).size).toBe(clauses.length)
  expect(new Set(clauses.map(({ group }) => group))).toEqual(new Set([...GROUPS, 'log']))
})
