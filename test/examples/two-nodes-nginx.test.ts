/** Two nodes behind a real nginx: one is killed in the middle. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createClient } from '../../src/index.ts'
import { startProxy } from '../server/deploy/proxy.ts'
import { redisPath, startRedis } from '../server/redis-server.ts'
import { findProxy } from '../setup/proxies.ts'
import { copyExample, folderOf, startExample } from './example.ts'

const PAGES = 20
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

/** The example's file, with addresses of this machine in it, and a folder where anybody may write. */
function configuration(port: number, folder: string, ports: readonly [number, number]): string {
  const replaced = [
    ['events {}', `pid ${folder}/nginx.pid;\nevents {}`],
    ['http {', `http {\naccess_log off;\n${TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}`],
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ['server node-a:3000;', `server 127.0.0.1:${ports[0]};`],
    ['server node-b:3000;', `server 127.0.0.1:${ports[1]};`]
  ] as const
  let text = readFileSync(join(folderOf('two-nodes-nginx'), 'nginx.conf'), 'utf8')
  for (const [from, to] of replaced) {
    expect(text.split(from)).toHaveLength(2)
    text = text.replace(from, to)
  }
  return text
}

test.skipIf(!redisPath || !findProxy('nginx'))('two-nodes-nginx', { timeout: 120_000 }, async ({ onTestFinished }) => {
  const redis = await startRedis()
  onTestFinished(() => redis.remove())
  const folder = copyExample('two-nodes-nginx', onTestFinished)
  const node = () => startExample(folder, onTestFinished, { path: '/health', env: { REDIS_URL: redis.url } })
  const [doomed, other] = await Promise.all([node(), node()])
  const origin = await startProxy('nginx', (port, place) => configuration(port, place, [doomed.port, other.port]))
  expect((await fetch(`${origin}/jobs`, { method: 'POST', body: '{}' })).status).toBe(401)
  const clientOf = (url: string) => {
    const client = createClient({ url, token: 'ada-token', memory: false })
    onTestFinished(() => client.close())
    return client
  }

  // Two jobs at each node, all followed through nginx, by a connection of its own each.
  const ids = await Promise.all(
    [doomed, doomed, other, other].map(async (each) => (await clientOf(`${each.origin}/jobs`).start({ title: 'Sales', pages: PAGES })).jobId)
  )
  let killed: Promise<void> | undefined
  const logs = await Promise.all(
    ids.map(async (id) => {
      const events: { seq: number; type: string; data: unknown }[] = []
      for await (const { seq, type, data } of clientOf(`${origin}/jobs`).subscribe(id)) {
        events.push({ seq, type, data })
        if (type === 'progress' && Object(data).current === PAGES / 4) killed ??= doomed.kill()
      }
      return events
    })
  )
  await killed
  for (const [index, events] of logs.entries()) {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1))
    expect(events.at(-1)).toMatchObject({ type: 'succeeded', data: { url: `/reports/${ids[index]}.pdf` } })
    const lost = events.filter(({ type }) => type === 'retrying').map(({ data }) => data)
    expect(lost).toEqual(index < 2 ? [expect.objectContaining({ code: 'lost', attempt: 2 })] : [])
  }

  // A deploy of the other one.
  const last = await clientOf(`${origin}/jobs`).start({ title: 'Last', pages: 5 })
  let code: Promise<number | null> | undefined
  for await (const { type } of last) if (type === 'progress') code ??= other.terminate()
  expect(await last.result).toEqual({ url: `/reports/${last.jobId}.pdf` })
  expect(await code, other.said()).toBe(0)
})
