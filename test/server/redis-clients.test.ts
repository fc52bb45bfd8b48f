import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis as Ioredis, Cluster as IoredisCluster } from 'ioredis'
import { createClient, createCluster, createSentinel, type RedisClientOptions } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type EventLog, memoryLog, wrapLog } from '../../src/server/index.ts'
import { type RedisLogOptions, redisLog } from '../../src/server/redis/index.ts'
import { selfSigned } from './adapters/certificate.ts'
import { startCluster } from './redis-cluster.ts'
import { freePort, type RedisServer, redisPath, startRedis } from './redis-server.ts'

let logs = 0
function open(options: RedisLogOptions): EventLog {
  const log = redisLog({ prefix: `clients${++logs}:`, timeoutMs: 10_000, ...options })
  onTestFinished(() => log.close())
  return log
}

/** Uses everything of Redis that a log needs. */
async function works(log: EventLog, jobs = 1): Promise<void> {
  expect(await log.check?.()).toEqual([])
  for (let n = 0; n < jobs; n += 1) {
    const job = `job${n}`
    const woken = Promise.withResolvers<void>()
    const stop = await log.watch(job, () => woken.resolve())
    expect(await log.append(job, 'queued', { n })).toMatchObject({ seq: 1 })
    await woken.promise
    stop()
    expect(await log.append(job, 'succeeded', n)).toMatchObject({ seq: 2 })
    expect(await log.snapshot(job)).toMatchObject({ status: 'succeeded', result: n })
    expect((await log.read(job, undefined, 10))?.events).toHaveLength(2)
  }
}

describe.skipIf(!redisPath)('a client of the application', { timeout: 60_000 }, () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
    await redis.command('CONFIG', 'SET', 'requirepass', 'first')
  })
  afterAll(() => redis.remove())
  const asAdmin = async (...args: string[]) => {
    const client = await createClient({ url: redis.url, password: 'first' }).connect()
    return client.sendCommand(args).finally(() => client.destroy())
  }

  test.each([
    ['redis, not connected', () => createClient({ url: redis.url, password: 'first' })],
    ['redis, with socket options', () => createClient({ socket: { host: '127.0.0.1', port: redis.port }, password: 'first', keyPrefix: 'x:' })],
    ['ioredis', () => new Ioredis(redis.port, '127.0.0.1', { password: 'first', lazyConnect: true, keyPrefix: 'x:' })]
  ])('works: %s', async (_, make) => works(open({ client: make() })))

  test('that is connected and in use stays connected', async () => {
    const client = await createClient({ url: redis.url, password: 'first' }).connect()
    onTestFinished(() => client.destroy())
    const log = open({ client })
    await works(log)
    await log.close()
    expect(await client.ping()).toBe('PONG')
  })

  test('options instead of a client, with credentials that change', async () => {
    await asAdmin('ACL', 'SETUSER', 'app', 'on', '>one', '~*', '&*', '+@all')
    let password = 'one'
    const asked = vi.fn()
    const clientOptions: RedisClientOptions = {
      credentialsProvider: {
        type: 'async-credentials-provider',
        async credentials() {
          asked()
          return { username: 'app', password }
        }
      }
    }
    const log = open({ url: redis.url, clientOptions })
    await works(log)
    const before = asked.mock.calls.length
    await asAdmin('ACL', 'SETUSER', 'app', 'resetpass', '>two')
    password = 'two'
    await asAdmin('CLIENT', 'KILL', 'USER', 'app')
    await log.append('later', 'queued', {})
    expect(asked.mock.calls.length).toBeGreaterThan(before)
  })

  test.each(['redis', 'ioredis'])('%s reconnects after its connection was lost', async (kind) => {
    const own =
      kind === 'redis' ? createClient({ url: redis.url, password: 'first' }) : new Ioredis(redis.port, '127.0.0.1', { password: 'first', lazyConnect: true })
    const log = open({ client: own })
    const woken = vi.fn()
    await log.watch('a', woken)
    await log.append('a', 'queued', {})
    await asAdmin('CLIENT', 'KILL', 'TYPE', 'normal')
    await asAdmin('CLIENT', 'KILL', 'TYPE', 'pubsub')
    expect(await log.append('a', 'progress', {})).toMatchObject({ seq: 2 })
    woken.mockClear()
    await vi.waitFor(async () => {
      await log.append('a', 'progress', {})
      expect(woken).toHaveBeenCalled()
    })
  })
})

describe.skipIf(!redisPath)('TLS with a private certificate authority', { timeout: 60_000 }, () => {
  test('needs `socket.ca`', async () => {
    const { key, cert } = selfSigned()
    const path = mkdtempSync(join(tmpdir(), 'jobtail-tls-'))
    onTestFinished(() => rmSync(path, { recursive: true, force: true }))
    writeFileSync(`${path}/key.pem`, key)
    writeFileSync(`${path}/cert.pem`, cert)
    const port = await freePort()
    const redis = await startRedis([
      '--tls-port',
      String(port),
      '--tls-cert-file',
      `${path}/cert.pem`,
      '--tls-key-file',
      `${path}/key.pem`,
      '--tls-auth-clients',
      'no',
      '--tls-ca-cert-file',
      `${path}/cert.pem`
    ])
    onTestFinished(() => redis.remove())
    const ca = cert
    await works(open({ url: `rediss://localhost:${port}`, clientOptions: { socket: { tls: true, ca } } }))
    await works(open({ client: new Ioredis(port, 'localhost', { tls: { ca }, lazyConnect: true }) }))
    await expect(open({ url: `rediss://localhost:${port}`, timeoutMs: 1000 }).snapshot('a')).rejects.toThrow(/self-signed certificate/)
  })
})

describe.skipIf(!redisPath)('a Redis Cluster', { timeout: 90_000 }, () => {
  const nodes: RedisServer[] = []
  beforeAll(() => startCluster(nodes), 60_000)
  afterAll(() => Promise.all(nodes.map((node) => node.remove())))

  test('as a cluster of the package redis', () => works(open({ client: createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) }) }), 12))

  test('as a cluster of ioredis', async () => {
    const cluster = new IoredisCluster(
      nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true }
    )
    onTestFinished(() => cluster.disconnect())
    await works(open({ client: cluster }), 12)
  })
})

describe.skipIf(!redisPath)('Sentinel', { timeout: 90_000 }, () => {
  test('names the master, and after a failover the new one', async () => {
    const master = await startRedis()
    const replica = await startRedis(['--replicaof', `127.0.0.1 ${master.port}`])
    onTestFinished(async () => {
      await master.remove()
      await replica.remove()
    })
    const ports = [await freePort(), await freePort()]
    const folder = mkdtempSync(join(tmpdir(), 'jobtail-sentinel-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const [gone = 0, port = 0] = ports
    writeFileSync(
      `${folder}/sentinel.conf`,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder}`,
        `sentinel monitor mine 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds mine 500',
        'sentinel failover-timeout mine 3000'
      ].join('\n')
    )
    const sentinel = spawn(redisPath ?? '', [`${folder}/sentinel.conf`, '--sentinel'], { argv0: 'redis-sentinel', stdio: 'ignore' })
    onTestFinished(() => void sentinel.kill('SIGKILL'))
    const asked = async (...args: string[]) => {
      const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: false } })
      client.on('error', () => {})
      await client.connect()
      return client.sendCommand(args).finally(() => client.destroy())
    }
    await vi.waitFor(async () => expect(String(await asked('INFO', 'sentinel'))).toContain('slaves=1'), { timeout: 30_000 })
    const log = open({
      sentinel: {
        name: 'mine',
        nodes: [
          { host: '127.0.0.1', port: gone },
          { host: '127.0.0.1', port }
        ]
      },
      timeoutMs: 40_000
    })
    await works(log)
    await log.append('a', 'queued', {})
    await expect(open({ sentinel: { name: 'other', nodes: [{ host: '127.0.0.1', port }] }, timeoutMs: 500 }).snapshot('a')).rejects.toThrow(
      /no Sentinel named the master "other": .*knows no master of that name/
    )
    await master.kill()
    expect(await log.append('b', 'queued', {})).toMatchObject({ seq: 1 })
    expect(String(await replica.command('ROLE'))).toMatch(/^master/)
  })
})

test.each([
  [{ url: 'redis://x', client: createClient() }, /^url, client: expected only one of these options/],
  [{ client: 5 }, /^client: expected a client of "redis" or "ioredis", got number/],
  [{ client: {} }, /^client: .*without `duplicate`/],
  [{ client: createSentinel({ name: 'x', sentinelRootNodes: [{ host: 'x', port: 1 }] }) }, /^client: .*`sentinel: \{ name, nodes \}`/],
  [{ client: createClient(), clientOptions: {} }, /^clientOptions: expected no `client` beside it/],
  [{ clientOptions: createClient() }, /^clientOptions: .*a client itself is given as `client`/],
  [{ clientOptions: 'x' }, /^clientOptions: expected/],
  [{ sentinel: { name: '', nodes: [{ host: 'x' }] } }, /^sentinel.name: expected/],
  [{ sentinel: { name: 'x', nodes: [] } }, /^sentinel.nodes: expected a list/],
  [{ sentinel: { name: 'x', nodes: [{ host: 'x', port: 70_000 }] } }, /^sentinel.nodes: expected a port from 1 to 65535, got 70000/],
  [{ url: [] }, /^url: expected a URL or a list of at least one/]
])('an invalid client or invalid options are refused: %#', (options, message) => {
  expect(() => redisLog(options as RedisLogOptions)).toThrow(message) // as: what JavaScript lets through
})

test('wrapLog passes `check` on', async () => {
  expect(wrapLog({ ...memoryLog(), check: async () => ['x'] }, {}).check?.()).toBeInstanceOf(Promise)
  expect(wrapLog(memoryLog(), {}).check).toBeUndefined()
})
