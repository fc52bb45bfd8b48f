/** What applications do to their components while jobs run: providers and clients that change, transitions, a thousand components, callbacks that end them. */

import * as React from 'react'
import { type ReactNode, StrictMode, Suspense, startTransition, useState } from 'react'
import { flushSync } from 'react-dom'
import { hydrateRoot } from 'react-dom/client'
import { expect, onTestFinished, test } from 'vitest'
import { JobtailProvider, type UseStartJob, useClient, useJob, useJobEvents, useStartJob } from '../../../src/react.ts'
import type { Client, JobSnapshot } from '../../../src/types.ts'
import { createStage, type Stage } from '../stage.ts'
import { Boundary, clientOf, major, mount, watchConsole } from './mount.tsx'

const within = (client: Client, node: ReactNode): ReactNode => <JobtailProvider client={client}>{node}</JobtailProvider>
const open = (stage: Stage) => async (): Promise<number> => (await stage.counts()).open
const Status = ({ id }: { id: string | null }): ReactNode => {
  const { status, progress } = useJob(id)
  return `${status} ${progress?.ratio ?? '-'} `
}

test('two providers: each component follows with its own', async () => {
  const [one, other] = [await createStage(), await createStage()]
  await one.publish('42', 'progress', { ratio: 0.1 })
  await other.publish('42', 'progress', { ratio: 0.9 })
  const { text } = mount(
    within(
      clientOf(one),
      <>
        <Status id="42" />
        {within(clientOf(other), <Status id="42" />)}
        <Status id="42" />
      </>
    )
  )
  await expect.poll(text).toBe('running 0.1 running 0.9 running 0.1 ')
  expect([(await one.counts()).arrived.websocket, (await other.counts()).arrived.websocket]).toEqual([1, 1])
})

test('another client: what was started with the one before is not shown any more', async () => {
  const [one, other] = [await createStage(), await createStage()]
  const clients = [clientOf(one), clientOf(other)] as const
  let started: UseStartJob | undefined
  function Report(): ReactNode {
    started = useStartJob()
    const { status } = useJob(started.jobId)
    return `${started.jobId ? 'job' : 'none'} ${started.isPending} ${status}`
  }
  const { render, text } = mount(within(clients[0], <Report />))
  await expect.poll(text).toBe('none false unknown')
  await started?.start({})
  await expect.poll(text).toBe('job false running')
  flushSync(() => render(within(clients[1], <Report />)))
  expect(text()).toBe('none false unknown')
  await other.set({ stalled: true })
  const pending = started?.start({})
  await expect.poll(text).toBe('none true unknown')
  flushSync(() => render(within(clients[0], <Report />)))
  expect(text()).toBe('none false unknown')
  await other.set({ stalled: false })
  await pending
  expect(text()).toBe('none false unknown')
  await started?.start({})
  await expect.poll(text).toBe('job false running')
})

test('another client while events are told: each job’s once', async () => {
  const [one, other] = [await createStage(), await createStage()]
  const clients = [clientOf(one), clientOf(other)] as const
  const told: string[] = []
  const Card = (): ReactNode => useJob('42', { onEvent: ({ type }) => told.push(type), onEnd: ({ status }) => told.push(`end ${status}`) }).status
  await one.publish('42', 'started')
  await other.publish('42', 'queued')
  await other.publish('42', 'succeeded')
  const { render, text } = mount(<StrictMode>{within(clients[0], <Card />)}</StrictMode>)
  await expect.poll(() => told).toEqual(['started'])
  flushSync(() => render(<StrictMode>{within(clients[1], <Card />)}</StrictMode>))
  await one.publish('42', 'failed')
  await expect.poll(text).toBe('succeeded')
  await expect.poll(() => told).toEqual(['started', 'queued', 'succeeded', 'end succeeded'])
  await expect.poll(open(one)).toBe(0)
})

test.for([
  ['without events', undefined],
  ['with events', () => {}]
] as const)('onEnd that unmounts its root: %s, of a job that ends, and of one that had ended', async ([, onEvent]) => {
  const stage = await createStage()
  const client = clientOf(stage)
  const said = watchConsole()
  await stage.publish('42', 'started')
  for (const isOver of [false, true]) {
    let ends = 0
    let renders = 0
    function Card(): ReactNode {
      renders += 1
      return useJob('42', {
        onEvent,
        onEnd() {
          ends += 1
          unmount()
        }
      }).status
    }
    const { unmount, text } = mount(<StrictMode>{within(client, <Card />)}</StrictMode>)
    if (!isOver) {
      await expect.poll(text).toBe('running')
      await stage.publish('42', 'succeeded')
    }
    await expect.poll(() => ends).toBe(1)
    await expect.poll(text).toBe('')
    const before = renders
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    expect(renders).toBe(before)
  }
  await expect.poll(open(stage)).toBe(0)
  expect(said).toEqual([])
})

test('onEvent that sets state of its component and of the one around it', async () => {
  const stage = await createStage()
  const said = watchConsole()
  function Card({ note }: { note(type: string): void }): ReactNode {
    const [count, setCount] = useState(0)
    useJob('42', {
      onEvent({ type }) {
        setCount((before) => before + 1)
        note(type)
      }
    })
    return ` ${count}`
  }
  function Page(): ReactNode {
    const [last, setLast] = useState('')
    return (
      <>
        {last}
        <Card note={setLast} />
      </>
    )
  }
  const { text } = mount(<StrictMode>{within(clientOf(stage), <Page />)}</StrictMode>)
  await stage.publish('42', 'started')
  await stage.burst('42', { perSecond: 1000, ms: 200 })
  await stage.publish('42', 'succeeded')
  await expect.poll(text).toBe('succeeded 202')
  expect(said).toEqual([])
})

test('a thousand components of one job: one connection, all rendered in the same frame, and nothing left', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'progress', { ratio: 0.1 })
  let ends = 0
  const frames = new Set<unknown>()
  const Small = ({ shown }: { shown: string[] }): ReactNode => {
    const { progress } = useJob('42', { onEnd: () => (ends += 1) })
    shown.push(`${progress?.ratio}`)
    if (progress?.ratio === 0.2) frames.add(document.timeline.currentTime)
    return null
  }
  const shown: string[] = []
  const keys = Array.from({ length: 1000 }, (_, key) => key)
  const { unmount } = mount(
    within(
      client,
      keys.map((key) => <Small key={key} shown={shown} />)
    )
  )
  await expect.poll(() => shown.filter((each) => each === '0.1').length).toBeGreaterThanOrEqual(1000)
  await stage.publish('42', 'progress', { ratio: 0.2 })
  await expect.poll(() => shown.filter((each) => each === '0.2').length).toBe(1000)
  expect(frames.size).toBe(1)
  expect(await stage.counts()).toMatchObject({ open: 1, arrived: { websocket: 1, snapshot: 1 } })
  await stage.publish('42', 'succeeded')
  await expect.poll(() => ends).toBe(1000)
  unmount()
  await expect.poll(open(stage)).toBe(0)
})

test('an id that changes in a transition, and between null and a text', async () => {
  const stage = await createStage()
  for (const id of ['1', '2', '3']) await stage.publish(id, 'progress', { ratio: Number(id) / 10 })
  let choose: (id: string | null) => void = () => {}
  const wrong: string[] = []
  function Page(): ReactNode {
    const [id, set] = useState<string | null>('1')
    choose = set
    const { progress, status } = useJob(id)
    if (progress && progress.ratio !== Number(id) / 10) wrong.push(`${id} ${progress.ratio}`)
    return `${id} ${status} ${progress?.ratio ?? '-'}`
  }
  const { text } = mount(<StrictMode>{within(clientOf(stage), <Page />)}</StrictMode>)
  await expect.poll(text).toBe('1 running 0.1')
  for (const id of ['2', null, '3', '1', null, '2']) {
    startTransition(() => choose(id))
    await expect.poll(text).toBe(id ? `${id} running ${Number(id) / 10}` : 'null unknown -')
  }
  expect(wrong).toEqual([])
  await expect.poll(open(stage)).toBe(1)
})

test('disabled until the job has ended: onEnd and the events are told then', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const told: string[] = []
  const Card = ({ enabled }: { enabled: boolean }): ReactNode =>
    useJob('42', { enabled, onEvent: ({ type }) => told.push(type), onEnd: ({ status }) => told.push(`end ${status}`) }).status
  const { render, text } = mount(within(client, <Card enabled={false} />))
  await expect.poll(text).toBe('unknown')
  const leave = client.job('42').subscribe(() => {})
  await stage.publish('42', 'succeeded')
  await expect.poll(() => client.job('42').state.status).toBe('succeeded')
  leave()
  expect(told).toEqual([])
  flushSync(() => render(within(client, <Card enabled={true} />)))
  expect(text()).toBe('succeeded')
  await expect.poll(() => told).toEqual(['started', 'succeeded', 'end succeeded'])
})

test('unmounted in the task in which the end arrives', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const said = watchConsole()
  await stage.publish('42', 'started')
  let ends = 0
  let renders = 0
  function Card(): ReactNode {
    renders += 1
    return useJob('42', { onEnd: () => (ends += 1) }).status
  }
  const { text, unmount } = mount(within(client, <Card />))
  await expect.poll(text).toBe('running')
  const told: string[] = []
  const ended = (async () => {
    for await (const { type } of client.subscribe('42')) {
      told.push(type)
      if (type === 'succeeded') unmount()
    }
  })()
  await expect.poll(() => told).toEqual(['started'])
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  const before = renders
  await stage.publish('42', 'succeeded')
  await ended
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  expect([renders, ends]).toEqual([before, 0])
  expect(said).toEqual([])
})

test.for([42, {}, true, ''])('an id that is none (%o) is a clear error, of useJob and of useJobEvents', async (wrong) => {
  const stage = await createStage()
  watchConsole()
  const client = clientOf(stage)
  const Card = (): ReactNode => useJob(wrong as string).status
  const List = (): ReactNode => useJobEvents(wrong as string).length
  for (const node of [<Card key="1" />, <List key="2" />]) {
    const { text } = mount(<Boundary>{within(client, node)}</Boundary>)
    await expect.poll(text).toMatch(/^bad-request job id: expected .*, got /)
  }
})

test('limits that are huge, or change again and again', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.burst('42', { perSecond: 1000, ms: 50 })
  const List = ({ limit }: { limit: number }): ReactNode => {
    const events = useJobEvents('42', { limit })
    return `${events.length} ${events[0]?.seq}`
  }
  const { render, text } = mount(within(client, <List limit={Number.POSITIVE_INFINITY} />))
  await expect.poll(text).toBe('50 1')
  for (let limit = 1; limit <= 30; limit += 1) flushSync(() => render(within(client, <List limit={limit} />)))
  await expect.poll(text).toBe('30 21')
  render(within(client, <List limit={1} />))
  await expect.poll(text).toBe('1 50')
  render(within(client, <List limit={Number.MAX_SAFE_INTEGER} />))
  await expect.poll(text).toBe('50 1')
  await expect.poll(open(stage)).toBe(1)
})

test.skipIf(major < 19)('Suspense: a job that is cancelled reaches the boundary, one that cannot be followed as well', async () => {
  const stage = await createStage()
  watchConsole()
  await stage.publish('42', 'started')
  function Result({ id }: { id: string }): ReactNode {
    return `result ${React.use(useClient().job(id).result)}`
  }
  const client = clientOf(stage, { unknownJobGraceMs: 0 })
  const at = (id: string): ReactNode =>
    within(
      client,
      <StrictMode>
        <Boundary key={id}>
          <Suspense fallback="waiting">
            <Result id={id} />
          </Suspense>
        </Boundary>
      </StrictMode>
    )
  const { render, text } = mount(at('42'))
  await expect.poll(text).toBe('waiting')
  await stage.publish('42', 'cancelled', { reason: 'too late' })
  await expect.poll(text).toMatch(/^cancelled /)
  render(at('nobody'))
  await expect.poll(text).toMatch(/^unknown-job /)
  await expect.poll(open(stage)).toBe(0)
})

test('hydration where the page’s id is another than the server’s: no state of one job is shown for the other', async () => {
  const stage = await createStage()
  watchConsole()
  await stage.publish('43', 'progress', { ratio: 0.7 })
  const initial: JobSnapshot = { id: '42', status: 'running', epoch: 'e', seq: 2, cursor: 'e-2', progress: { ratio: 0.3 } }
  const container = document.body.appendChild(document.createElement('div'))
  container.innerHTML = '<p>running 0.3</p>'
  const shown: string[] = []
  function Card(): ReactNode {
    const { status, progress } = useJob('43', { initial })
    shown.push(`${status} ${progress?.ratio ?? '-'}`)
    return <p>{`${status} ${progress?.ratio ?? '-'}`}</p>
  }
  const root = hydrateRoot(container, within(clientOf(stage), <Card />), { onRecoverableError: () => {} })
  onTestFinished(() => {
    root.unmount()
    container.remove()
  })
  await expect.poll(() => container.textContent).toBe('running 0.7')
  expect(shown).not.toContain('running 0.3')
})

test('a token that the server no longer takes is asked for once, for all components', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { ratio: 0.5 })
  const tokens = ['token-1', 'token-2']
  const refused = (): Response =>
    new Response('{"status":401,"code":"unauthorized","message":"no"}', { status: 401, headers: { 'content-type': 'application/problem+json' } })
  const client = clientOf(stage, {
    token: () => tokens.shift() ?? '',
    fetch: async (url, init) => (new Headers(init?.headers).get('authorization') === 'Bearer token-1' ? refused() : fetch(url, init))
  })
  const { text } = mount(
    within(
      client,
      [1, 2, 3].map((key) => <Status key={key} id="42" />)
    )
  )
  await expect.poll(text).toBe('running 0.5 '.repeat(3))
  expect(tokens).toEqual([])
})
