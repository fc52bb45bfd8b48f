import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveModule } from '../../demo/modules.ts'

const server = http.createServer((req, res) => void serveModule(req, res))
let port = 0

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port // as: it listens on a port
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

/** Requests a path as it stands. `fetch` would resolve the dots. */
const get = (path: string, method = 'GET'): Promise<{ status: number | undefined; type: string | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    const req = http.request({ port, path, method, agent: false }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      res.on('end', () => resolve({ status: res.statusCode, type: res.headers['content-type'], text }))
    })
    req.on('error', reject).end()
  })

test('the page and its style', async () => {
  expect(await get('/')).toMatchObject({ status: 200, type: 'text/html; charset=utf-8', text: expect.stringContaining('importmap') })
  expect(await get('/?events=20')).toMatchObject({ status: 200 })
  expect(await get('/demo/style/base.css')).toMatchObject({ status: 200, type: 'text/css; charset=utf-8' })
})

test('modules come as JavaScript, with every line where it was', async () => {
  const { status, type, text } = await get('/src/protocol/rules.ts')
  expect([status, type]).toEqual([200, 'text/javascript; charset=utf-8'])
  expect(text).toContain('export const isCursor = (value')
  expect(text).not.toContain(': unknown')
  await import(`data:text/javascript,${encodeURIComponent(text)}`)
})

test.each(['/node_modules/eventsource-parser/dist/index.js', '/node_modules/idb-keyval/dist/index.js'])('%s, for the import map', async (path) => {
  expect(await get(path)).toMatchObject({ status: 200, type: 'text/javascript; charset=utf-8' })
})

test.each([
  '/package.json',
  '/src/server/tsconfig.json',
  '/src/server/index.ts',
  '/src/%73erver/index.ts',
  '/demo/main.ts',
  '/demo/page/../main.ts',
  '/src/../package.json',
  '/src/..%2fpackage.json',
  '/src/%2e%2e/test/run.ts',
  '/src/x/..%2f..%2fserver/index.ts',
  '/demo/page/..%2f..%2fsrc/server/index.ts',
  '/..%2f..%2fetc/passwd.ts',
  '/src/..\\package.json',
  '/src/%00.ts',
  '/src/%ff.ts',
  '/src/',
  '/node_modules/ws/index.js',
  '/node_modules/eventsource-parser/package.json',
  '/no/such.ts'
])('%s is not served', async (path) => {
  expect(await get(path)).toMatchObject({ status: 404, text: 'not found\n' })
})

test('nothing but GET and HEAD', async () => {
  expect(await get('/', 'POST')).toMatchObject({ status: 404 })
  expect(await get('/', 'HEAD')).toMatchObject({ status: 200, text: '' })
})
