import { readFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answerCode, codeParts } from '../../demo/code.ts'

const server = http.createServer((req, res) => void answerCode((req.url ?? '').slice(1), res))
let origin = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on a port
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

test.each(Object.keys(codeParts))('%s: its lines stand in the named file from the named line on', async (name) => {
  const response = await fetch(`${origin}/${name}`)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
  const regions = (await response.text()).split(/^(?=\/\/ demo\/)/m)
  expect(regions).toHaveLength(codeParts[name]?.length ?? 0)
  for (const region of regions) {
    const [heading = '', ...lines] = region.trimEnd().split('\n')
    const [, file = '', first = ''] = /^\/\/ (\S+):(\d+)$/.exec(heading) ?? []
    const source = (await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')).split('\n')
    expect(lines.length).toBeGreaterThan(0)
    expect(source.slice(Number(first) - 1, Number(first) - 1 + lines.length).map((line) => line.trim())).toEqual(lines.map((line) => line.trim()))
    expect(lines.some((line) => /^\S/.test(line))).toBe(true)
  }
})

test.each(['', 'nobody', 'toString', '../package.json'])('no part %j', async (name) => {
  expect((await fetch(`${origin}/${name}`)).status).toBe(404)
})
