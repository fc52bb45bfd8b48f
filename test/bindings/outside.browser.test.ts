/** Outside of components: where a framework has an owner for that, what is followed ends with it; where it has none, an error says so. */

import '@angular/compiler'
import { createEnvironmentInjector, type EnvironmentInjector, provideZonelessChangeDetection, runInInjectionContext, signal } from '@angular/core'
import { createApplication } from '@angular/platform-browser'
import { createRoot, createSignal } from 'solid-js'
import { expect, onTestFinished, test } from 'vitest'
import { injectJob, injectJobEvents, injectStartJob } from '../../src/angular.ts'
import { createClient } from '../../src/index.ts'
import { createJob } from '../../src/solid.ts'
import { useJob } from '../../src/svelte.ts'
import { createStage } from './stage.ts'

async function open() {
  const stage = await createStage()
  const client = createClient({ url: stage.url, memory: false, jobStorage: false })
  onTestFinished(() => client.close())
  await stage.publish('42', 'started')
  return { stage, client, openNow: async () => (await stage.counts()).open }
}

test('Solid: a root of one’s own, until it is disposed of', async () => {
  const { client, openNow } = await open()
  const told: unknown[] = []
  const [id, setId] = createSignal<string | null>(null)
  const { job, dispose } = createRoot((end) => ({ job: createJob(id, { client, onEvent: ({ seq }) => told.push(seq) }), dispose: end }))
  expect(job().status).toBe('unknown')
  setId('42')
  await expect.poll(() => job().status).toBe('running')
  await expect.poll(() => told).toEqual([1])
  dispose()
  await expect.poll(openNow).toBe(0)
})

test('Angular: an environment’s injector, until it is destroyed', async () => {
  const { stage, client, openNow } = await open()
  const app = await createApplication({ providers: [provideZonelessChangeDetection()] })
  onTestFinished(() => app.destroy())
  const service = createEnvironmentInjector([], app.injector as EnvironmentInjector) // as: an application's is one
  const id = signal<string | null>(null)
  const job = injectJob(id, { client, injector: service })
  const events = runInInjectionContext(service, () => injectJobEvents(id, { client }))
  id.set('42')
  await expect.poll(() => job.status()).toBe('running')
  await expect.poll(() => events().length).toBe(1)
  service.destroy()
  await expect.poll(openNow).toBe(0)
  await stage.publish('42', 'succeeded')
  expect(job.status()).toBe('running')
})

test('Angular: without an injection context an error says so', () => {
  for (const inject of [() => injectJob(() => '42'), () => injectJobEvents(() => '42'), () => injectStartJob()])
    expect(inject).toThrow(/NG0203.*injection context/s)
})

test('Svelte: outside of a component an error says so', async () => {
  const { client } = await open()
  for (const options of [{}, { client }]) expect(() => useJob('42', options)).toThrow(/lifecycle_outside_component/)
})
