/** `<job-progress>`: what is seen, heard and told of a job. */

import { expect, test, vi } from 'vitest'
import { createStage } from '../stage.ts'
import { heard, part, put, recordEvents, seen } from './page.ts'
import { scriptJob } from './script.ts'

test('a job from its queue to its result', async () => {
  const stage = await createStage()
  const events = recordEvents()
  await stage.publish('42', 'queued', { position: 7 })
  const element = put(`<job-progress job="42" url="${stage.url}" label="Yearly report"><p slot="result">Here it is</p></job-progress>`)
  await expect.poll(() => seen(element)).toEqual({ label: 'Yearly report', stage: 'Waiting, was number 7', cancel: 'Cancel' })
  expect(element.getAttribute('status')).toBe('queued')
  expect(heard(element)).toMatch(/^Yearly report, Waiting/)
  await stage.publish('42', 'started')
  await stage.publish('42', 'progress', { current: 3, total: 4, stage: 'Rendering' })
  await expect.poll(() => seen(element)).toEqual({ label: 'Yearly report', value: '75%', stage: 'Rendering', cancel: 'Cancel' })
  expect([element.state?.status, element.getAttribute('status'), element.getAttribute('value')]).toEqual(['running', 'running', '0.75'])
  expect(part(element, 'track').ariaValueNow).toBe('75')
  await stage.publish('42', 'succeeded', { url: '/report.pdf' })
  await expect.poll(() => seen(element)).toEqual({ label: 'Yearly report', value: '100%', stage: 'Done' })
  expect(element.querySelector('p')?.checkVisibility()).toBe(true)
  expect(heard(element)).toBe('Yearly report, Done')
  expect(events.map(({ type, detail, target }) => [type, detail.job, detail.status, target === element]).at(0)).toEqual(['job-progress', '42', 'queued', true])
  expect(events.at(-2)).toMatchObject({ type: 'job-progress', detail: { job: '42', status: 'running', progress: { ratio: 0.75 } } })
  expect(events.at(-1)).toMatchObject({ type: 'job-done', detail: { status: 'succeeded', result: { url: '/report.pdf' } }, target: element })
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
})

test('a job that fails', async () => {
  const stage = await createStage()
  const events = recordEvents()
  await stage.publish('42', 'progress', { ratio: 0.4 })
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  await expect.poll(() => seen(element).value).toBe('40%')
  await stage.publish('42', 'failed', { code: 'disk-full', message: 'The disk is full.' })
  await expect.poll(() => seen(element)).toEqual({ value: '40%', stage: 'Failed', error: 'The disk is full.' })
  expect(heard(element)).toBe('Failed, The disk is full.')
  expect(events.at(-1)).toMatchObject({ type: 'job-failed', detail: { status: 'failed', error: { name: 'JobFailedError', code: 'disk-full' } } })
})

test('a slot in place of the error', async () => {
  const stage = await createStage()
  await stage.publish('42', 'failed', { code: 'x', message: 'Not for people.' })
  const element = put(`<job-progress job="42" url="${stage.url}"><b slot="error">Please call us.</b></job-progress>`)
  await expect.poll(() => element.getAttribute('status')).toBe('failed')
  expect(element.querySelector('b')?.checkVisibility()).toBe(true)
  expect(heard(element)).toBe('') // it had ended before the page was there
})

test('a job that can no longer be followed', async () => {
  const stage = await createStage()
  const events = recordEvents()
  const element = put(`<job-progress job="" url="${stage.url}"></job-progress>`)
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  await expect.poll(() => element.getAttribute('status')).toBe('error')
  expect(error).toHaveBeenCalledWith(element, expect.objectContaining({ code: 'bad-request', message: expect.stringContaining('job id: expected') }))
  error.mockRestore()
  expect(seen(element)).toEqual({ error: 'It can no longer be followed.' })
  expect(events).toMatchObject([{ type: 'job-failed', detail: { job: '', status: 'unknown', error: { code: 'bad-request' } } }])
  element.job = '42'
  await stage.publish('42', 'started')
  await expect.poll(() => seen(element)).toEqual({ stage: 'Running', cancel: 'Cancel' })
})

test('progress without an end in sight', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { stage: 'Counting', current: 1200, unit: 'rows' })
  const element = put(`<job-progress job="42" url="${stage.url}" lang="de"></job-progress>`)
  await expect.poll(() => seen(element)).toEqual({ value: '1.200 rows', stage: 'Counting', cancel: 'Cancel' })
  const bar = part(element, 'track')
  expect([bar.ariaValueNow, element.hasAttribute('value')]).toEqual([null, false])
  expect(part(element, 'fill').getAnimations().length).toBe(matchMedia('(prefers-reduced-motion)').matches ? 0 : 1)
})

test('cancel', async () => {
  const stage = await createStage()
  const events = recordEvents()
  const start = await fetch(stage.url, { method: 'POST', body: '{}' })
  const { id } = await start.json()
  const element = put(`<job-progress job="${id}" url="${stage.url}" label="Import"></job-progress>`)
  await expect.poll(() => seen(element).cancel).toBe('Cancel')
  const button = part(element, 'cancel')
  button.focus()
  button.click()
  button.click()
  expect(seen(element).cancel).toBe('Cancelling')
  await expect.poll(() => seen(element)).toEqual({ label: 'Import', stage: 'Cancelled' })
  expect(element.shadowRoot?.activeElement).toBe(part(element, 'track')) // the focus is not lost with the button
  expect((await stage.counts()).arrived.cancel).toBe(1)
  expect(events.at(-1)).toMatchObject({ type: 'job-failed', detail: { status: 'cancelled', error: { code: 'cancelled' } } })
})

test('no button where nobody may cancel, and where the element says so', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const element = put(`<job-progress job="42" url="${stage.url}" no-cancel></job-progress>`)
  await expect.poll(() => seen(element)).toEqual({ stage: 'Running' })
})

test('a cancellation that the server refuses', async () => {
  const { client, set } = scriptJob()
  const element = put('<job-progress job="42"></job-progress>')
  element.client = client
  await Promise.resolve()
  set({ status: 'running' })
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  part(element, 'cancel').click()
  await vi.waitFor(() => expect(seen(element)).toMatchObject({ cancel: 'Cancel', connection: 'It could not be cancelled.' }))
  expect(error).toHaveBeenCalledWith(element, expect.any(Error))
  error.mockRestore()
})

test('the time left, while it is no guess', async () => {
  const { client, set } = scriptJob()
  const element = put('<job-progress job="42" lang="en"></job-progress>')
  element.client = client
  await Promise.resolve()
  for (let percent = 0; percent <= 20; percent += 1) {
    set({ status: 'running', progress: { ratio: percent / 100 } })
    if (percent < 2) expect(seen(element).left).toBeUndefined()
    vi.advanceTimersByTime(980)
  }
  expect(seen(element)).toMatchObject({ value: '20%', left: 'About 1 min left' })
  vi.advanceTimersByTime(20_000) // nothing comes: the timer alone looks again
  expect(seen(element).left).toBeUndefined()
  element.remove()
  expect(vi.getTimerCount()).toBe(0)
})

test('the connection, only once it has been away for 5 s', async () => {
  const { client, set } = scriptJob()
  const element = put('<job-progress job="42" label="Import"></job-progress>')
  element.client = client
  await Promise.resolve()
  set({ status: 'running' })
  const { connection } = element.state ?? {}
  if (!connection) throw new Error('no state')
  set({ connection: { ...connection, phase: 'waiting' } })
  vi.advanceTimersByTime(4000)
  expect(seen(element).connection).toBeUndefined()
  set({ connection })
  set({ connection: { ...connection, phase: 'offline' } })
  vi.advanceTimersByTime(4000)
  expect(seen(element).connection).toBeUndefined()
  vi.advanceTimersByTime(2000)
  expect(seen(element).connection).toBe('No connection. Trying again.')
  expect(heard(element)).toBe('Import, Running, No connection. Trying again.')
  set({ connection })
  expect(seen(element).connection).toBeUndefined()
})
