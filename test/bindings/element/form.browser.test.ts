/** `<job-progress>` in a form: the job's result is its value. */

import { expect, test } from 'vitest'
import { createStage } from '../stage.ts'
import { type JobProgressElement, part, put } from './page.ts'

async function putForm(attributes: string) {
  const stage = await createStage()
  const form = put<HTMLFormElement>(`<form><label>Your file <job-progress job="42" url="${stage.url}" ${attributes}></job-progress></label></form>`)
  const element = form.querySelector('job-progress') as JobProgressElement // as: it is there
  await stage.publish('42', 'started')
  await expect.poll(() => element.getAttribute('status')).toBe('running')
  return { stage, form, element, entries: () => Object.fromEntries(new FormData(form)) }
}

test('while the job runs the form cannot be sent; then it has the result', async () => {
  const { stage, form, element, entries } = await putForm('name="file"')
  expect([form.checkValidity(), element.matches(':invalid'), entries()]).toEqual([false, true, {}])
  form.reportValidity()
  expect(document.activeElement).toBe(element)
  await stage.publish('42', 'succeeded', { id: 7 })
  await expect.poll(() => element.getAttribute('status')).toBe('succeeded')
  expect([form.checkValidity(), entries()]).toEqual([true, { file: '{"id":7}' }])
  expect(part(element, 'track').ariaLabel).toBe('Your file')
})

test('a text is sent as it is', async () => {
  const { stage, entries } = await putForm('name="file"')
  await stage.publish('42', 'succeeded', 'a.pdf')
  await expect.poll(entries).toEqual({ file: 'a.pdf' })
})

test.each([
  ['name="file"', true],
  ['name="file" required', false]
])('after a failure (%s)', async (attributes, isValid) => {
  const { stage, form, element, entries } = await putForm(attributes)
  await stage.publish('42', 'failed', { code: 'x', message: 'x' })
  await expect.poll(() => element.getAttribute('status')).toBe('failed')
  expect([form.checkValidity(), entries()]).toEqual([isValid, {}])
})

test('without a name it takes no part', async () => {
  const { stage, form, element, entries } = await putForm('required')
  expect(form.checkValidity()).toBe(true)
  await stage.publish('42', 'succeeded', 'a.pdf')
  await expect.poll(() => element.getAttribute('status')).toBe('succeeded')
  expect(entries()).toEqual({})
})
