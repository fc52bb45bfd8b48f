/** The lives that Vue alone has: components that are kept while they are not shown, scopes and stores outside of components. */

import { expect, onTestFinished, test, vi } from 'vitest'
import { type Component, createApp, createSSRApp, defineComponent, effectScope, h, KeepAlive, nextTick, ref, Suspense, shallowRef } from 'vue'
import { createClient, type JobSnapshot } from '../../../src/index.ts'
import { jobtailKey, useJob, useJobEvents, useStartJob } from '../../../src/vue.ts'
import { createStage } from '../stage.ts'

async function open() {
  const stage = await createStage()
  const client = createClient({ url: stage.url, memory: false, jobStorage: false, retry: { baseMs: 10, maxMs: 100 } })
  onTestFinished(() => client.close())
  const element = document.body.appendChild(document.createElement('main'))
  const mount = (component: Component) => {
    const app = createApp(component).provide(jobtailKey, client)
    app.mount(element)
    onTestFinished(() => {
      app.unmount()
      element.remove()
    })
    return app
  }
  return { stage, client, element, mount, text: () => element.textContent }
}

const openCount = (stage: { counts(): Promise<{ open: number }> }) => async () => (await stage.counts()).open

test('a component that is kept but not shown follows nothing; shown again it goes on, and no event is lost or told twice', async () => {
  const { stage, text, mount } = await open()
  await stage.publish('42', 'started')
  const told: unknown[] = []
  const Job = defineComponent(() => {
    const { status, progress } = useJob('42', { onEvent: ({ seq }) => told.push(seq), onEnd: () => told.push('end') })
    const events = useJobEvents('42')
    return () => `${status.value} ${progress.value?.ratio ?? '-'} ${events.value.length}`
  })
  const Other = defineComponent(() => () => 'other')
  const isShown = ref(true)
  mount(defineComponent(() => () => h(KeepAlive, null, { default: () => h(isShown.value ? Job : Other) })))
  await expect.poll(text).toBe('running - 1')
  isShown.value = false
  await nextTick()
  expect(text()).toBe('other')
  await expect.poll(openCount(stage)).toBe(0)
  await stage.publish('42', 'progress', { ratio: 0.5 })
  expect(told).toEqual([1])
  const { arrived } = await stage.counts()
  isShown.value = true
  await expect.poll(text).toBe('running 0.5 2')
  expect((await stage.counts()).arrived.websocket).toBe(arrived.websocket + 1)
  for (let time = 0; time < 10; time += 1) {
    isShown.value = false
    await nextTick()
    isShown.value = true
    await nextTick()
  }
  expect((await stage.counts()).arrived.websocket).toBe(arrived.websocket + 1)
  isShown.value = false
  await expect.poll(openCount(stage)).toBe(0)
  await stage.publish('42', 'succeeded')
  isShown.value = true
  await expect.poll(text).toBe('succeeded 0.5 3')
  await expect.poll(() => told).toEqual([1, 2, 3, 'end'])
})

test('a store that was first used by a component that is kept follows on without it', async () => {
  const { stage, client, text, mount } = await open()
  await stage.publish('42', 'started')
  const scope = effectScope(true)
  onTestFinished(() => scope.stop())
  let store: ReturnType<typeof useJob> | undefined
  const useStore = () => (store ??= scope.run(() => useJob('42', { client })))
  const User = defineComponent(() => {
    const job = useStore()
    return () => job?.status.value
  })
  const Other = defineComponent(() => () => `other ${store?.progress.value?.ratio}`)
  const isShown = ref(true)
  mount(defineComponent(() => () => h(KeepAlive, null, { default: () => h(isShown.value ? User : Other) })))
  await expect.poll(text).toBe('running')
  isShown.value = false
  await expect.poll(text).toBe('other undefined')
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(text).toBe('other 0.5')
  scope.stop()
  await expect.poll(openCount(stage)).toBe(0)
})

test('a scope outside of components: followed at once, and until it stops', async () => {
  const { stage, client } = await open()
  await stage.publish('42', 'started')
  const scope = effectScope()
  const id = shallowRef<string | null>(null)
  const job = scope.run(() => useJob(id, { client }))
  id.value = '42'
  await expect.poll(() => job?.status.value).toBe('running')
  scope.stop()
  await expect.poll(openCount(stage)).toBe(0)
})

test('onEnd that unmounts its application, also of a job that had ended before', async () => {
  const { stage, client, element } = await open()
  await stage.publish('42', 'succeeded')
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  for (const onEvent of [undefined, () => {}]) {
    const ended = Promise.withResolvers<void>()
    const app = createApp(
      defineComponent(() => {
        const { status } = useJob('42', {
          onEvent,
          onEnd: () => {
            app.unmount()
            ended.resolve()
          }
        })
        return () => status.value
      })
    ).provide(jobtailKey, client)
    app.mount(element)
    await ended.promise
    expect(element.textContent).toBe('')
  }
  expect(warn).not.toHaveBeenCalled()
  await expect.poll(openCount(stage)).toBe(0)
})

test('in an async component below <Suspense>', async () => {
  const { stage, text, mount } = await open()
  await stage.publish('42', 'started')
  const loaded = Promise.withResolvers<void>()
  const Job = defineComponent({
    async setup() {
      const { status } = useJob('42')
      await loaded.promise
      return () => status.value
    }
  })
  mount(defineComponent(() => () => h(Suspense, null, { default: () => h(Job), fallback: () => 'waiting' })))
  await expect.poll(text).toBe('waiting')
  expect((await stage.counts()).arrived.websocket).toBe(0)
  loaded.resolve()
  await expect.poll(text).toBe('running')
})

test('an id that is none is an error of the component, and the next one is followed', async () => {
  const { stage, element, client } = await open()
  await stage.publish('42', 'started')
  const errors: string[] = []
  const id = ref<unknown>('42')
  const app = createApp(
    defineComponent(() => {
      const { status } = useJob(() => id.value as string)
      return () => status.value
    })
  ).provide(jobtailKey, client)
  app.config.errorHandler = (error) => errors.push((error as Error).message)
  app.config.warnHandler = () => {}
  app.mount(element)
  onTestFinished(() => app.unmount())
  await expect.poll(() => element.textContent).toBe('running')
  for (const wrong of ['', 42, {}]) {
    errors.length = 0
    id.value = wrong
    await nextTick()
    expect(errors[0]).toMatch(/^job id: expected/)
    id.value = '42'
    await expect.poll(() => element.textContent).toBe('running')
  }
})

test('a server whose id differs from the page’s: no state of one job is shown for the other', async () => {
  const { stage, client, element } = await open()
  await stage.publish('43', 'progress', { ratio: 0.7 })
  const initial: JobSnapshot = { id: '42', status: 'running', epoch: 'e', seq: 3, cursor: 'e-3', progress: { ratio: 0.3 } }
  const page = createSSRApp(
    defineComponent(() => {
      const { status, progress } = useJob('43', { initial })
      return () => h('p', `${status.value} ${progress.value?.ratio ?? '-'}`)
    })
  ).provide(jobtailKey, client)
  element.innerHTML = '<p>running 0.3</p>'
  const said = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const failed = vi.spyOn(console, 'error').mockImplementation(() => {})
  page.mount(element)
  onTestFinished(() => {
    page.unmount()
    said.mockRestore()
    failed.mockRestore()
  })
  expect(element.textContent).toBe('unknown -')
  await expect.poll(() => element.textContent).toBe('running 0.7')
})

test('the id changes while a start is pending', async () => {
  const { stage, text, mount } = await open()
  await stage.publish('42', 'started')
  let starter: ReturnType<typeof useStartJob> | undefined
  const chosen = ref<string>()
  mount(
    defineComponent(() => {
      starter = useStartJob()
      const { jobId } = starter
      const { status, state } = useJob(() => chosen.value ?? jobId.value)
      return () => `${status.value} ${state.value.lastEventId ? 'seen' : ''}`
    })
  )
  await stage.set({ stalled: true })
  const started = starter?.start({})
  chosen.value = '42'
  await nextTick()
  await stage.set({ stalled: false })
  await expect.poll(text).toBe('running seen')
  const id = await started
  expect(starter?.jobId.value).toBe(id)
  chosen.value = undefined
  await stage.finish(id ?? '')
  await expect.poll(text).toBe('succeeded seen')
})
