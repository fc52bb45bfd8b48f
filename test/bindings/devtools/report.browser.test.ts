/** The panel twice, late, and beside jobs whose names and data are anything. */

import { expect, test } from 'vitest'
import { createStage } from '../stage.ts'
import { connect, mount } from './mounted.ts'

const EVIL = '<script>window.isEvil = true</script><img src=x onerror="window.isEvil = true">```\n## x'

test('mounted twice, one before the clients and one after: each shows what it has seen', async () => {
  const stage = await createStage()
  const first = mount('open')
  await stage.publish('42', 'started')
  const client = connect({ url: stage.url, jobStorage: false })
  client.job('42').subscribe(() => {})
  await expect.poll(() => first.text()).toContain('websocket carries the job')
  const second = mount('open')
  expect(second.text()).not.toContain('websocket carries the job')
  await stage.publish('42', 'succeeded')
  for (const panel of [first, second]) await expect.poll(() => panel.text()).toContain('job 42 ended: succeeded')
  first.element.remove()
  expect(second.element.report()).toContain('job 42')
})

test('HTML and Markdown in ids, types, messages and data stay text', async () => {
  const stage = await createStage()
  const panel = mount('open')
  const client = connect({ url: stage.url, jobStorage: false })
  await stage.publish(`a'"&b`, 'progress', { ratio: 0.5, stage: EVIL, message: EVIL })
  await stage.publish(`a'"&b`, 'x-html', { text: EVIL })
  await stage.publish(`a'"&b`, 'failed', { code: 'x', message: EVIL })
  for await (const _ of client.subscribe(`a'"&b`));
  await expect.poll(() => panel.text()).toContain('ended: failed')
  panel.element.mark(EVIL, EVIL)
  await expect.poll(() => panel.text()).toContain('## x')
  expect(panel.root.querySelector('script, img')).toBeNull()
  const report = panel.element.report({ data: true })
  const fences = report.split('\n').filter((line) => line.startsWith('```'))
  expect(fences.length % 2).toBe(0)
  expect(fences.every((line) => /^```(text)?$/.test(line))).toBe(true)
  let isFenced = false
  for (const line of report.split('\n')) {
    if (line.startsWith('```')) isFenced = !isFenced
    else if (!isFenced) expect(line).not.toContain('<')
  }
  expect(Reflect.get(window, 'isEvil')).toBeUndefined()
})

test('no token in the report, whatever the server and the network do with it', async () => {
  const stage = await createStage()
  const panel = mount()
  await stage.publish('42', 'started')
  const token = 'secret-12345'
  const answers = [
    () =>
      new Response(JSON.stringify({ status: 401, code: 'unauthorized', message: `bad token ${token}` }), {
        status: 401,
        headers: { 'content-type': 'application/problem+json' }
      }),
    () => new Response(`<h1>no ${token}</h1>`, { status: 502, headers: { 'content-type': 'text/html' } }),
    () => Promise.reject(new TypeError(`failed to fetch with ${token}`)),
    () => Promise.reject(new TypeError(`failed to fetch with ${encodeURIComponent(token)} https://x.test/?access_token=${token}`))
  ]
  let count = 0
  const client = connect({
    url: `${stage.url}?access_token=${token}`,
    token: () => token,
    headers: () => ({ 'x-api-key': token, cookie: token }),
    jobStorage: false,
    retry: { baseMs: 1, maxMs: 5, attempts: 6 },
    fetch: async () => (answers[count++ % answers.length] ?? answers[0])?.() as Promise<Response>,
    WebSocket: class {
      constructor() {
        throw new Error(`no socket for ${token}`)
      }
    } as unknown as typeof WebSocket
  })
  client.job('42').subscribe(() => {})
  await expect.poll(() => client.job('42').state.error, { timeout: 15_000 }).toBeTruthy()
  await client.start({ secret: 'body' }).catch(() => {})
  const report = panel.element.report({ data: true })
  expect(report).toContain('job 42')
  expect(report).not.toContain('secret')
})
