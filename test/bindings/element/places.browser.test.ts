/** Places that elements get into: other documents, shadow trees, forms that are reset or disabled, pages in other scripts; and what servers may send. */

import { expect, onTestFinished, test, vi } from 'vitest'
import { createStage } from '../stage.ts'
import { heard, JobProgressElement, part, put, recordEvents, seen } from './page.ts'

const task = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))
const heightOf = (element: JobProgressElement): number => part(element, 'track').getBoundingClientRect().height

/** Another window of the same origin, as a picture-in-picture window is. */
async function openFrame(): Promise<Document> {
  const frame = put<HTMLIFrameElement>('<iframe></iframe>')
  await vi.waitFor(() => expect(frame.contentDocument?.body).toBeTruthy())
  return frame.contentDocument as Document // as: it is there
}

test('adopted by another document it keeps its look and its job, and comes back', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { ratio: 0.5 })
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  const { parentElement } = element
  await expect.poll(() => seen(element).value).toBe('50%')
  const height = heightOf(element)
  expect(height).toBeGreaterThan(0)
  const other = await openFrame()
  other.body.append(element)
  await stage.publish('42', 'progress', { ratio: 0.6 })
  await expect.poll(() => seen(element).value).toBe('60%')
  expect(heightOf(element)).toBe(height)
  parentElement?.append(element)
  await expect.poll(() => heightOf(element)).toBe(height)
  document.implementation.createHTMLDocument().adoptNode(element)
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  parentElement?.append(element)
  await expect.poll(() => heightOf(element)).toBe(height)
  await stage.publish('42', 'succeeded')
  await expect.poll(() => element.getAttribute('status')).toBe('succeeded')
})

test.each([[['job', 'url', 'label']], [['url', 'job', 'label']], [['label', 'url', 'job']]])(
  'attributes set one after the other, a task apart: %s',
  async (order) => {
    const stage = await createStage()
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => error.mockRestore())
    await stage.publish('42', 'progress', { ratio: 0.5 })
    const values: Record<string, string> = { job: '42', url: stage.url, label: 'Report' }
    const element = put('<job-progress></job-progress>')
    for (const name of order) {
      element.setAttribute(name, values[name] ?? '')
      await task()
    }
    await expect.poll(() => seen(element)).toMatchObject({ label: 'Report', value: '50%' })
    for (const name of order) element.removeAttribute(name)
    await expect.poll(() => seen(element)).toEqual({})
    await expect.poll(async () => (await stage.counts()).open).toBe(0)
    expect(error).not.toHaveBeenCalled()
  }
)

test('inside a shadow tree: words and language of the host, and events that get out', async () => {
  const stage = await createStage()
  const events = recordEvents()
  await stage.publish('42', 'progress', { current: 1200 })
  const host = put<HTMLElement>('<section lang="de" text-running="Läuft"></section>')
  const root = host.attachShadow({ mode: 'closed' })
  root.innerHTML = `<job-progress job="42" url="${stage.url}"></job-progress>`
  const element = root.firstElementChild as JobProgressElement // as: it is one
  await expect.poll(() => seen(element)).toMatchObject({ stage: 'Läuft', value: '1.200' })
  expect(events.at(-1)?.target).toBe(host)
})

test('in a form: reset, a disabled fieldset, and a clone', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const form = put<HTMLFormElement>(`<form><fieldset><job-progress name="file" job="42" url="${stage.url}"></job-progress></fieldset></form>`)
  const [fieldset, element] = [form.querySelector('fieldset'), form.querySelector('job-progress')]
  if (!fieldset || !element) throw new Error('no form')
  await expect.poll(() => element.getAttribute('status')).toBe('running')
  expect(form.checkValidity()).toBe(false)
  fieldset.disabled = true
  expect([form.checkValidity(), element.matches(':disabled'), element.getAttribute('status')]).toEqual([true, true, 'running'])
  fieldset.disabled = false
  expect(form.checkValidity()).toBe(false)
  await stage.publish('42', 'succeeded', 'a.pdf')
  await expect.poll(() => Object.fromEntries(new FormData(form))).toEqual({ file: 'a.pdf' })
  form.reset()
  expect(Object.fromEntries(new FormData(form))).toEqual({ file: 'a.pdf' })
  fieldset.disabled = true
  expect(Object.fromEntries(new FormData(form))).toEqual({})
  fieldset.disabled = false
  const clone = form.cloneNode(true) as HTMLFormElement // as: a clone is the same
  form.after(clone)
  await expect.poll(() => Object.fromEntries(new FormData(clone))).toEqual({ file: 'a.pdf' })
  element.removeAttribute('job')
  await expect.poll(() => Object.fromEntries(new FormData(form))).toEqual({})
})

test('a label with HTML is text, a long one without spaces stays in its place, from right to left too', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { ratio: 0.25, message: 'x'.repeat(500) })
  const holder = put<HTMLElement>(`<div dir="rtl" style="inline-size: 20em"><job-progress job="42" url="${stage.url}"></job-progress></div>`)
  const element = holder.firstElementChild as JobProgressElement // as: it is one
  element.label = `<b>${'y'.repeat(500)}</b>`
  await expect.poll(() => seen(element).label).toBe(`<b>${'y'.repeat(500)}</b>`)
  await expect.poll(() => seen(element).value).toBe('25%')
  expect(holder.scrollWidth).toBeLessThanOrEqual(holder.clientWidth)
  const [track, fill] = [part(element, 'track'), part(element, 'fill')].map((each) => each.getBoundingClientRect())
  expect(Math.abs((track?.right ?? 0) - (fill?.right ?? 9))).toBeLessThan(1)
  expect(fill?.width).toBeCloseTo((track?.width ?? 0) / 4, 0)
})

test('two elements of one job: each says and tells, and the job is cancelled once', async () => {
  const stage = await createStage()
  const events = recordEvents()
  const { id } = await (await fetch(stage.url, { method: 'POST', body: '{}' })).json()
  const elements = [1, 2].map(() => put(`<job-progress job="${id}" url="${stage.url}"></job-progress>`))
  for (const element of elements) await expect.poll(() => seen(element).cancel).toBe('Cancel')
  for (const element of elements) part(element, 'cancel').click()
  for (const element of elements) await expect.poll(() => seen(element)).toEqual({ stage: 'Cancelled' })
  expect(events.filter(({ type }) => type === 'job-failed')).toHaveLength(2)
  for (const element of elements) expect(heard(element)).toBe('Cancelled')
})

test('moved while it is queued it says no more, and keeps its place in the queue', async () => {
  const stage = await createStage()
  const events = recordEvents()
  await stage.publish('42', 'queued', { position: 3 })
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  await expect.poll(() => seen(element).stage).toBe('Waiting, was number 3')
  const { arrived } = await stage.counts()
  const other = put<HTMLElement>('<p></p>')
  for (let time = 0; time < 20; time += 1) {
    other.append(element)
    await task()
    expect(seen(element).stage).toBe('Waiting, was number 3')
  }
  expect((await stage.counts()).arrived).toEqual(arrived)
  expect(events).toHaveLength(1)
})

test('a listener that removes its element, or gives it another job', async () => {
  const stage = await createStage()
  for (const id of ['1', '2']) await stage.publish(id, 'started')
  const element = put(`<job-progress job="1" url="${stage.url}"></job-progress>`)
  const told: string[] = []
  element.addEventListener('job-done', ({ detail }) => {
    told.push(detail.job)
    if (detail.job === '1') element.job = '2'
    else element.remove()
  })
  await stage.publish('1', 'succeeded')
  await expect.poll(() => [element.job, element.getAttribute('status')]).toEqual(['2', 'running'])
  await stage.publish('2', 'succeeded')
  await expect.poll(() => told).toEqual(['1', '2'])
  expect(element.isConnected).toBe(false)
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
})

test('the text of a job that has ended follows the language of the page', async () => {
  const stage = await createStage()
  await stage.publish('42', 'succeeded')
  const holder = put<HTMLElement>(`<div><job-progress job="42" url="${stage.url}"></job-progress></div>`)
  const element = holder.firstElementChild as JobProgressElement // as: it is one
  await expect.poll(() => seen(element).stage).toBe('Done')
  holder.setAttribute('text-succeeded', 'Fertig')
  JobProgressElement.configure({})
  await expect.poll(() => seen(element).stage).toBe('Fertig')
})
