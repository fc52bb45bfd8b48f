/** What a page sets for all elements: words, options of clients, backends by name. */

import { afterEach, expect, test, vi } from 'vitest'
import { jobtailSnapshot } from '../../../src/backends.ts'
import { ENGLISH } from '../../../src/element/words.ts'
import { createStage } from '../stage.ts'
import { JobProgressElement, part, put, seen } from './page.ts'

const page = globalThis as { Jobtail?: unknown } // as: the scripts make it

afterEach(() => {
  JobProgressElement.configure({ words: ENGLISH, client: { headers: undefined } })
  delete page.Jobtail
})

test('words: the page sets them, attributes go before them, also those of an element around', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const holder = put<HTMLElement>(
    `<div text-running="Läuft"><job-progress job="42" url="${stage.url}"></job-progress><job-progress job="42" url="${stage.url}" text-running="Rechnet"></job-progress></div>`
  )
  const [one, other] = [...holder.children] as [JobProgressElement, JobProgressElement] // as: these two
  await expect.poll(() => seen(one)).toEqual({ stage: 'Läuft', cancel: 'Cancel' })
  JobProgressElement.configure({ words: { cancel: 'Abbrechen', progress: 'Fortschritt', running: 'Nie' } })
  await expect.poll(() => seen(one)).toEqual({ stage: 'Läuft', cancel: 'Abbrechen' })
  expect(seen(other).stage).toBe('Rechnet')
  expect(part(one, 'track').ariaLabel).toBe('Fortschritt')
})

test('options of clients, for elements that are there already', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const headers = vi.fn(() => ({}))
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  await expect.poll(() => element.getAttribute('status')).toBe('running')
  JobProgressElement.configure({ client: { headers } })
  await expect.poll(() => headers.mock.calls.length).toBeGreaterThan(0)
  await expect.poll(async () => (await stage.counts()).open).toBe(1)
})

test('an unknown name', () => {
  expect(() => JobProgressElement.configure({ words: { finished: 'x' } as object })).toThrow(/configure: expected one of progress, queued, .*, got finished/)
  expect(() => JobProgressElement.configure({ token: 'x' } as object)).toThrow('configure: expected one of words, client, backends, got token')
})

test('a backend by name, registered before or after', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { ratio: 0.3 })
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  const element = put(`<job-progress job="42" url="${stage.url}" backend="by-snapshot"></job-progress>`)
  await expect.poll(() => element.getAttribute('status')).toBe('error')
  expect(error).toHaveBeenCalledWith(
    element,
    expect.objectContaining({ message: 'backend: expected a name of configure({ backends }), or of jobtail-backends.min.js, got by-snapshot' })
  )
  error.mockRestore()
  JobProgressElement.configure({ backends: { 'by-snapshot': jobtailSnapshot({ pollMs: 20 }) } })
  await expect.poll(() => seen(element)).toMatchObject({ value: '30%', cancel: 'Cancel' })
  expect((await stage.counts()).arrived).toMatchObject({ websocket: 0, sse: 0 })
})

test('a backend of the script with all of them; no button where it cannot cancel', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { ratio: 0.3 })
  const make = vi.fn(() => ({ ...jobtailSnapshot({ pollMs: 20 }), cancel: undefined }))
  page.Jobtail = { backends: { jobtailSnapshot: make } }
  const elements = [0, 1].map(() => put(`<job-progress job="42" url="${stage.url}" backend="jobtail-snapshot"></job-progress>`))
  for (const element of elements) await expect.poll(() => seen(element)).toEqual({ value: '30%', stage: 'Running' })
  expect(make).toHaveBeenCalledOnce()
})

test('while the page is being loaded a backend may still come', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const readyState = vi.spyOn(document, 'readyState', 'get').mockReturnValue('interactive')
  const element = put(`<job-progress job="42" url="${stage.url}" backend="jobtail-late"></job-progress>`)
  await new Promise((resolve) => setTimeout(resolve))
  expect(element.getAttribute('status')).toBe('unknown')
  page.Jobtail = { backends: { jobtailLate: () => jobtailSnapshot({ pollMs: 20 }) } }
  readyState.mockRestore()
  dispatchEvent(new Event('load'))
  await expect.poll(() => element.getAttribute('status')).toBe('running')
})
