import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { proxyFor } from '../../src/cli/proxy.ts'
import { createJobServer } from '../../src/server/index.ts'
import { selfSigned } from '../server/adapters/certificate.ts'
import { serve } from '../server/serve.ts'
import { findProxy } from '../setup/proxies.ts'
import { binary } from './command.ts'

const TEST_MS = 60_000

describe('the proxy that the environment names', () => {
  const P = 'http://proxy:3128'
  test.each([
    ['http://host/jobs', {}, undefined],
    ['http://host/jobs', { HTTP_PROXY: P }, P],
    ['http://host/jobs', { http_proxy: P, HTTP_PROXY: 'http://other' }, P],
    ['http://host/jobs', { HTTPS_PROXY: P }, undefined],
    ['https://host/jobs', { HTTPS_PROXY: P }, P],
    ['https://host/jobs', { https_proxy: P }, P],
    ['https://host/jobs', { HTTP_PROXY: P }, undefined],
    ['https://host/jobs', { ALL_PROXY: P }, P],
    ['https://host/jobs', { all_proxy: 'proxy:3128' }, P],
    ['https://host/jobs', { HTTPS_PROXY: '' }, undefined],
    ['http://host/jobs', { HTTP_PROXY: P, NO_PROXY: '*' }, undefined],
    ['http://host/jobs', { HTTP_PROXY: P, NO_PROXY: 'host' }, undefined],
    ['http://host/jobs', { HTTP_PROXY: P, no_proxy: 'other, host' }, undefined],
    ['http://host/jobs', { HTTP_PROXY: P, NO_PROXY: 'HOST:80' }, undefined],
    ['http://host:81/jobs', { HTTP_PROXY: P, NO_PROXY: 'host:80' }, P],
    ['http://a.example.com/', { HTTP_PROXY: P, NO_PROXY: 'example.com' }, undefined],
    ['http://a.example.com/', { HTTP_PROXY: P, NO_PROXY: '.example.com' }, undefined],
    ['http://a.example.com/', { HTTP_PROXY: P, NO_PROXY: '*.example.com' }, undefined],
    ['http://badexample.com/', { HTTP_PROXY: P, NO_PROXY: 'example.com' }, P],
    ['http://10.1.2.3/', { HTTP_PROXY: P, NO_PROXY: '10.0.0.0/8' }, undefined],
    ['http://11.1.2.3/', { HTTP_PROXY: P, NO_PROXY: '10.0.0.0/8,192.168.0.0/33' }, P],
    ['http://[::1]:8080/', { HTTP_PROXY: P, NO_PROXY: '::1' }, undefined],
    ['http://[fd00::5]/', { HTTP_PROXY: P, NO_PROXY: 'fd00::/8' }, undefined],
    ['http://127.0.0.1/', { HTTP_PROXY: P, NO_PROXY: 'localhost' }, P]
  ])('for %s with %j is %s', (url, env, expected) => {
    expect(proxyFor(new URL(url), env)?.origin).toBe(expected)
  })

  test.each(['socks5://me:s3cret@proxy', 'http://:x'])('%s is refused, and the error names the variable', async (HTTP_PROXY) => {
    const { code, err } = await binary(['http://127.0.0.1:1/jobs/1'], { env: { HTTP_PROXY } })
    expect(code).toBe(2)
    expect(err).toContain('the proxy in the environment: expected an http: or https: URL')
    expect(err).not.toContain('s3cret')
  })
})

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Proxy {
  port: number
  /** The proxy's own log. */
  log(): Promise<string>
}

/** Starts a proxy in a folder of its own, and stops it at the end of the test. */
async function start(command: string, args: (file: string, port: number) => string[], config: (port: number, folder: string) => string): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-proxy-'))
  await chmod(folder, 0o777) // squid changes to another user
  const port = await freePort()
  const file = join(folder, 'conf')
  await writeFile(file, config(port, folder))
  const child: ChildProcess = spawn(command, args(file, port), { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await rm(folder, { recursive: true, force: true })
  })
  await vi.waitFor(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1', () => resolve(void socket.destroy()))
        socket.once('error', reject)
      }),
    { timeout: 20_000 }
  )
  return { port, log: () => readFile(join(folder, 'log'), 'utf8') }
}

const TINYPROXY = findProxy('tinyproxy')
const SQUID = findProxy('squid')

const tinyproxy = (more = '') =>
  start(
    TINYPROXY ?? '',
    (file) => ['-d', '-c', file],
    (port, folder) => `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogFile "${folder}/log"\nLogLevel Info\n${more}`
  )

/** The default configuration, which allows CONNECT to port 443 only. */
const squid = () =>
  start(
    SQUID ?? '',
    (file, port) => ['-N', '-n', `jobtail${port}`, '-f', file], // names for what it shares in memory
    (port, folder) =>
      [
        `http_port 127.0.0.1:${port}`,
        'acl SSL_ports port 443',
        'http_access deny CONNECT !SSL_ports',
        'http_access allow all',
        `access_log stdio:${folder}/log`,
        `cache_log ${folder}/cache.log`,
        'pid_filename none',
        `coredump_dir ${folder}`,
        'cache deny all',
        'shutdown_lifetime 0 seconds',
        'pinger_enable off'
      ].join('\n')
  )

describe.skipIf(!TINYPROXY)('through tinyproxy', { timeout: TEST_MS }, () => {
  test.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY'])('follows with %s, over each transport', async (name) => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'succeeded', { url: '/1' })
    const proxy = await tinyproxy()
    const env = { [name]: `http://127.0.0.1:${proxy.port}` }
    for (const transport of ['websocket', 'sse', 'long-poll', 'short-poll'])
      expect(await binary([`${base}/1`, '--only', transport, '--result'], { env })).toMatchObject({ code: 0, out: '{"url":"/1"}\n' })
    expect(await proxy.log()).toContain(`GET ${base}/1`)
  })

  test('follows over a WebSocket too, and sends every other request', async () => {
    const { base, jobs, port } = await serve({ start: async () => null })
    await jobs.publish('1', 'started')
    const proxy = await tinyproxy()
    const env = { HTTP_PROXY: `127.0.0.1:${proxy.port}` }
    const running = binary([`${base}/1`, '--only', 'websocket', '--verbose'], { env })
    await vi.waitFor(() => expect(running.err()).toContain('websocket carries the job'), { timeout: 20_000 })
    await jobs.publish('1', 'succeeded')
    expect(await running).toMatchObject({ code: 0 })
    expect(await proxy.log()).toContain(`CONNECT 127.0.0.1:${port}`)
    expect(await binary(['start', base], { env })).toMatchObject({ code: 0 })
    expect(await binary(['get', `${base}/1`], { env })).toMatchObject({ code: 0 })
    expect(await binary(['cancel', `${base}/1`], { env })).toMatchObject({ code: 0 })
    for (const asked of [`POST ${base} `, `GET ${base}/1 `, `POST ${base}/1/cancel `]) expect(await proxy.log()).toContain(asked)
  })

  test('with a user name and a password', async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'succeeded')
    const { port } = await tinyproxy('BasicAuth me s3cret')
    for (const transport of ['websocket', 'sse'])
      expect(await binary([`${base}/1`, '--only', transport], { env: { HTTP_PROXY: `http://me:s3cret@127.0.0.1:${port}` } })).toMatchObject({ code: 0 })
    const { code, err } = await binary([`${base}/1`], { env: { HTTP_PROXY: `http://me:wr0ng@127.0.0.1:${port}` } })
    expect({ code, err }).toEqual({ code: 69, err: expect.stringMatching(/40[17]/) })
    expect(err).not.toContain('wr0ng')
  })

  test('to https:, with a certificate authority in NODE_EXTRA_CA_CERTS', async () => {
    const { key, cert } = selfSigned()
    const jobs = createJobServer()
    const server = https.createServer({ key, cert })
    jobs.attach(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const folder = await mkdtemp(join(tmpdir(), 'jobtail-ca-'))
    onTestFinished(async () => {
      await jobs.close({ graceMs: 100 })
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true })
    })
    await writeFile(join(folder, 'ca.pem'), cert)
    await jobs.publish('1', 'succeeded')
    const { port } = server.address() as AddressInfo // as: it listens on TCP
    const proxy = await tinyproxy()
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') }
    for (const transport of ['websocket', 'sse'])
      expect(await binary([`https://localhost:${port}/jobs/1`, '--only', transport], { env })).toMatchObject({ code: 0 })
    expect(await proxy.log()).toContain(`CONNECT localhost:${port}`)
    const { code, err } = await binary([`https://localhost:${port}/jobs/1`], { env: { HTTPS_PROXY: env.HTTPS_PROXY } })
    expect({ code, err }).toEqual({ code: 69, err: expect.stringMatching(/^jobtail: cannot reach .*self.signed.*\n$/) })
  })

  test('does not go through it if NO_PROXY has the host', async () => {
    const { base, jobs } = await serve()
    await jobs.publish('1', 'succeeded')
    const gone = { HTTP_PROXY: `http://127.0.0.1:${await freePort()}` }
    for (const name of ['NO_PROXY', 'no_proxy'])
      expect(await binary([`${base}/1`], { env: { ...gone, [name]: 'localhost,127.0.0.1' } })).toMatchObject({ code: 0 })
    const { code, err } = await binary([`${base}/1`], { env: gone })
    expect({ code, err }).toEqual({ code: 69, err: expect.stringMatching(/^jobtail: cannot reach .* by the proxy 127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/) })
  })

  test('check goes through it too, with its WebSockets', async () => {
    const { base, port } = await serve({ heartbeatMs: 300, start: async () => null })
    const proxy = await tinyproxy()
    const { code, out } = await binary(['check', base, '--only', 'websocket', '--skip', 'ws-linger'], { env: { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` } })
    expect(out).toContain('✓ §5 ws-answers')
    expect(code).toBe(0)
    expect(await proxy.log()).toContain(`CONNECT 127.0.0.1:${port}`)
  })
})

test.skipIf(!SQUID)('through squid, which blocks WebSockets: follows over another transport', { timeout: TEST_MS }, async () => {
  const { base, jobs } = await serve()
  await jobs.publish('1', 'started')
  const proxy = await squid()
  const running = binary([`${base}/1`, '--verbose'], { env: { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` } })
  await vi.waitFor(() => expect(running.err()).toContain('sse carries the job'), { timeout: 20_000 })
  await jobs.publish('1', 'succeeded')
  expect(await running).toMatchObject({ code: 0 })
  expect(await proxy.log()).toMatch(/TCP_DENIED.* CONNECT/)
})
