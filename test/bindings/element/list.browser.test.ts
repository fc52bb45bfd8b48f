/** `<job-list>`: the jobs that this browser follows. */

import { expect, onTestFinished, test } from 'vitest'
import type { JobListElement } from '../../../src/element.ts'
import { type Client, createClient } from '../../../src/index.ts'
import { createStage, type Stage } from '../stage.ts'
import { heard, type JobProgressElement, part, put, recordEvents, seen } from './page.ts'

function clientOf(stage: Stage): Client {
  const client = createClient({ url: stage.url, memory: false, jobStorage: false })
  onTestFinished(() => client.close())
  return client
}

const itemsOf = (list: JobListElement): JobProgressElement[] => [...(list.shadowRoot?.querySelectorAll('job-progress') ?? [])]

/** What is seen of the list. */
const shown = (list: JobListElement) => ({
  badge: part(list, 'badge').checkVisibility() ? part(list, 'badge').textContent : '',
  empty: part(list, 'empty').checkVisibility(),
  labels: itemsOf(list).map(({ label }) => label)
})

function putList(client: Client, labels: Readonly<Record<string, string>>): JobListElement {
  const list = put<JobListElement>('<job-list lang="en"><i slot="empty">Nothing runs.</i></job-list>')
  list.client = client
  list.labelOf = ({ id }) => labels[id] ?? id
  return list
}

test('jobs come and go, newest first, with a badge', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const events = recordEvents()
  const list = putList(client, { 1: 'Report', 2: 'Import' })
  await expect.poll(() => shown(list)).toEqual({ badge: '', empty: true, labels: [] })
  await stage.publish('1', 'progress', { ratio: 0.5 })
  await stage.publish('2', 'started')
  const leave = client.job('1').subscribe(() => {})
  await expect.poll(() => shown(list)).toEqual({ badge: '1', empty: false, labels: ['Report'] })
  client.job('2').subscribe(() => {})
  await expect.poll(() => shown(list)).toEqual({ badge: '2', empty: false, labels: ['Import', 'Report'] })
  expect(list.getAttribute('count')).toBe('2')
  leave()
  await expect
    .poll(() => itemsOf(list).map(seen))
    .toMatchObject([
      { label: 'Import', stage: 'Running' },
      { label: 'Report', value: '50%' }
    ])
  await stage.publish('1', 'succeeded', 'r.pdf')
  await expect.poll(() => shown(list)).toEqual({ badge: '1', empty: false, labels: ['Import'] })
  expect(heard(list)).toBe('Report, Done')
  expect(events.at(-1)).toMatchObject({ type: 'job-done', detail: { job: '1', result: 'r.pdf' }, target: list })
})

test('a job of yesterday is called after its time', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('1', 'started')
  const list = put<JobListElement>('<job-list lang="en-GB" text-since="Von {}" no-cancel></job-list>')
  list.client = client
  client.job('1').subscribe(() => {})
  await expect.poll(() => shown(list).labels).toEqual([expect.stringMatching(/^Von \d\d\/\d\d\/\d{4}, \d\d:\d\d$/)])
  await expect.poll(() => itemsOf(list).map(seen)).toEqual([{ label: expect.any(String), stage: 'Running' }])
})

test('forgotten jobs, and a list that is removed, leave nothing behind', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const list = putList(client, {})
  await stage.publish('1', 'started')
  const leave = client.job('1').subscribe(() => {})
  await expect.poll(() => shown(list).labels).toEqual(['1'])
  leave()
  list.remove()
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  document.body.append(list)
  onTestFinished(() => list.remove())
  await expect.poll(async () => (await stage.counts()).open).toBe(1)
  await client.forget()
  await expect.poll(() => shown(list).labels).toEqual([])
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
})

test('the focus stays in the list when its job goes', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const list = putList(client, {})
  await stage.publish('1', 'started')
  await stage.publish('2', 'started')
  for (const id of ['1', '2']) client.job(id).subscribe(() => {})
  await expect.poll(() => itemsOf(list).map((item) => seen(item).cancel)).toEqual(['Cancel', 'Cancel'])
  const [first] = itemsOf(list)
  if (!first) throw new Error('no item')
  part(first, 'cancel').focus()
  await stage.publish(`${first.job}`, 'succeeded')
  await expect.poll(() => itemsOf(list).length).toBe(1)
  expect(list.shadowRoot?.activeElement).toBe(part(list, 'list'))
})

test('a job whose end comes together with another change of the list is still said, and fires its event', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const events = recordEvents()
  const list = putList(client, { 1: 'Report' })
  await stage.publish('1', 'started')
  client.job('1').subscribe(() => {})
  await expect.poll(() => itemsOf(list).map((item) => item.getAttribute('status'))).toEqual(['running'])
  const told: string[] = []
  const read = (async () => {
    for await (const { type } of client.subscribe('1')) {
      told.push(type)
      if (type === 'succeeded') list.label = 'All done' // drawn before the job's own listeners are told
    }
  })()
  await expect.poll(() => told).toEqual(['started'])
  await stage.publish('1', 'succeeded')
  await read
  await expect.poll(() => shown(list).labels).toEqual([])
  expect(heard(list)).toBe('Report, Done')
  expect(events.at(-1)).toMatchObject({ type: 'job-done', detail: { job: '1' } })
})

test('a hundred jobs over one connection; the list moved asks for nothing, and tells nothing again', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const list = putList(client, {})
  const ids = Array.from({ length: 100 }, (_, index) => `${index}`)
  await Promise.all(ids.map((id) => stage.publish(id, 'started')))
  const leaves = ids.map((id) => client.job(id).subscribe(() => {}))
  await expect.poll(() => itemsOf(list).filter((item) => item.getAttribute('status') === 'running').length).toBe(100)
  for (const leave of leaves) leave()
  expect(shown(list).badge).toBe('100')
  const { arrived } = await stage.counts()
  const events = recordEvents()
  for (let time = 0; time < 10; time += 1) put<HTMLElement>('<p></p>').append(list)
  await stage.publish('50', 'succeeded')
  await expect.poll(() => shown(list).badge).toBe('99')
  // A socket that is slow to open has an event stream tried beside it, once.
  const { sse, 'long-poll': longPoll } = arrived
  expect((await stage.counts()).arrived).toMatchObject({ websocket: 1, sse, 'long-poll': longPoll })
  expect(events.map(({ type }) => type)).toEqual(['job-done'])
})

test('jobs of another tab appear when the page is seen again, and go when they have ended there', async () => {
  const stage = await createStage()
  const options = { url: stage.url, memory: false, identity: crypto.randomUUID() } as const
  const [here, there] = [createClient(options), createClient(options)]
  onTestFinished(async () => {
    await there.forget()
    for (const client of [here, there]) client.close()
  })
  const list = putList(here, {})
  await expect.poll(() => shown(list).empty).toBe(true)
  await stage.publish('1', 'progress', { ratio: 0.5 })
  const leave = there.job('1').subscribe(() => {})
  await expect.poll(() => there.jobs().state.length).toBe(1)
  await expect
    .poll(() => {
      document.dispatchEvent(new Event('visibilitychange'))
      return shown(list).labels
    })
    .toEqual(['1'])
  await expect.poll(() => itemsOf(list).map((item) => seen(item).value)).toEqual(['50%'])
  leave()
  await stage.publish('1', 'succeeded')
  await expect.poll(() => shown(list).labels).toEqual([])
  expect(heard(list)).toBe('1, Done')
})
