/** The panel beside real clients, which follow real jobs through a proxy that misbehaves. */

import { expect, test, vi } from 'vitest'
import { webSocket } from '../../../src/index.ts'
import { createStage } from '../stage.ts'
import { connect, mount, watchWork } from './mounted.ts'

test('shows transports, diagnostics in words, jobs, and settings without credentials', async () => {
  const stage = await createStage()
  const panel = mount('open')
  const client = connect({ url: `${stage.url}?key=secret-in-url`, token: 'secret-token', headers: { 'x-key': 'secret-header' } })
  await stage.publish('42', 'progress', { ratio: 0.5, stage: 'secret-stage' })
  const job = client.subscribe('42')
  job.onChange(() => {})
  await expect.poll(() => panel.text()).toContain('websocket carries the job')
  await stage.set({ webSocket: 'refuse' })
  await stage.cut()
  await expect.poll(() => panel.text()).toMatch(/websocket was lost after .* events: the connection was cut/)
  await expect.poll(() => panel.text()).toContain('sse carries the job')
  await stage.publish('42', 'progress', { ratio: 0.75 })
  const jobs = (): string[] => [...(panel.root.querySelector('details:last-of-type .texts')?.children ?? [])].map(({ textContent }) => textContent)
  await expect.poll(jobs).toEqual([expect.stringContaining('; 75 %; ')])
  expect(jobs()[0]).toMatch(
    new RegExp(
      `^client 1, job 42: running; 75 %; 1 events \\(1 progress\\); \\d a second; last event id ${job.state.lastEventId}; 0 gaps .*; connection live sse$`
    )
  )
  expect(panel.root.querySelectorAll('.bars .live.websocket.failed, .bars .live.sse.running')).toHaveLength(2)
  expect(panel.root.querySelector('.tick.sse')?.getAttribute('d')).toMatch(/^M/)

  const clients = [...panel.root.querySelectorAll('details')].find((each) => each.textContent.startsWith('Clients'))
  expect(panel.text()).not.toContain('staggerMs') // nothing is made for what nobody sees
  clients?.querySelector('summary')?.click()
  await expect.poll(() => panel.text()).toContain('staggerMs: 250\n')
  expect(panel.text()).toContain(`url: ${stage.url}\n`)
  expect(panel.text()).toContain('token: given, not shown\n')
  expect(panel.text()).toContain('transports: websocket, sse, long-poll, short-poll')
  expect(panel.text()).not.toContain('secret')

  await stage.publish('42', 'succeeded', null)
  await expect.poll(jobs).toEqual([expect.stringContaining('; connection closed')])
  await expect.poll(() => panel.root.querySelectorAll('.bars .running')).toHaveLength(0)
})

test('tells clients apart, and shows the one that is chosen', async () => {
  const [one, other] = [await createStage(), await createStage()]
  const panel = mount('open')
  for (const stage of [one, other]) {
    await stage.publish('7', 'started')
    connect({ url: stage.url })
      .subscribe('7')
      .onChange(() => {})
    await expect.poll(() => panel.text().match(/websocket carries the job/g)?.length).toBe(stage === one ? 1 : 2)
  }
  expect(panel.text()).toContain('client 2: websocket carries the job')
  const rows = (): number | undefined => panel.root.querySelector('details:last-of-type .texts')?.childElementCount
  expect(rows()).toBe(2)
  const choice = panel.root.querySelector('select')
  if (!choice) throw new Error('there is no choice')
  choice.value = '2'
  choice.dispatchEvent(new Event('change'))
  await expect.poll(rows).toBe(1)
  expect(panel.text().match(/websocket carries the job/g)).toHaveLength(1)
})

test('does nothing while it is collapsed or hidden, and shows what it has missed', async () => {
  const stage = await createStage()
  const panel = mount()
  await stage.publish('42', 'started')
  const client = connect({ url: stage.url })
  const job = client.subscribe('42')
  job.onChange(() => {})
  await expect.poll(() => job.state.connection.phase).toBe('live')
  const collapsed = watchWork(panel.root)
  const before = job.state.lastEventId
  await stage.burst('42', { perSecond: 1000, ms: 300 })
  await expect.poll(() => job.state.progress?.ratio).toBe(299 / 300)
  expect(job.state.lastEventId).not.toBe(before)
  expect(collapsed.stop()).toEqual({ changes: 0, frames: 0 })

  panel.button('Jobtail').click()
  await expect.poll(() => panel.text()).toContain('websocket carries the job')
  expect(panel.text()).toContain('; 300 events (300 progress); ')
  panel.element.hidden = true
  await vi.waitFor(() => expect(panel.root.querySelector('.body')?.clientWidth).toBe(0))
  await twoFrames() // the one that was asked for already
  const hidden = watchWork(panel.root)
  await stage.cut()
  await expect.poll(() => panel.element.report()).toContain('was lost')
  expect(hidden.stop()).toEqual({ changes: 0, frames: 0 })
})

test('paints at most once a frame', async () => {
  const stage = await createStage()
  const panel = mount('open')
  await stage.publish('42', 'started')
  const client = connect({ url: stage.url })
  const job = client.subscribe('42')
  job.onChange(() => {})
  await expect.poll(() => panel.text()).toContain('websocket carries the job')
  const setAttribute = vi.spyOn(panel.root.querySelector('.tick.websocket') as Element, 'setAttribute') // as: there is that lane
  const startedAt = performance.now()
  await stage.burst('42', { perSecond: 1000, ms: 500 })
  await expect.poll(() => job.state.progress?.ratio).toBe(499 / 500)
  const paints = setAttribute.mock.calls.length
  expect(paints).toBeGreaterThan(0)
  expect(paints).toBeLessThanOrEqual((performance.now() - startedAt) / 16 + 1)
})

test('once it is removed nothing is left, and added again it goes on', async () => {
  const stage = await createStage()
  const panel = mount('open')
  await stage.publish('42', 'started')
  const client = connect({ url: stage.url, transports: [webSocket()] })
  const job = client.subscribe('42')
  job.onChange(() => {})
  await expect.poll(() => panel.text()).toContain('websocket carries the job')
  panel.element.remove()
  expect(panel.root.childElementCount).toBe(0)
  const lines = panel.element.report().split('\n').length
  const work = watchWork(panel.root)
  await stage.cut()
  await expect.poll(() => job.state.connection.phase).not.toBe('live')
  await expect.poll(() => job.state.connection.phase).toBe('live')
  expect(work.stop()).toEqual({ changes: 0, frames: 0 })
  expect(panel.element.report().split('\n').length).toBe(lines)
  document.body.append(panel.element)
  await expect.poll(() => panel.text()).toContain('websocket carries the job')
  expect(panel.root.querySelectorAll('.bars .running')).toHaveLength(0) // nobody has told how what was live has ended
  await stage.cut()
  await expect.poll(() => panel.text()).toContain('was lost')
})

const twoFrames = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
