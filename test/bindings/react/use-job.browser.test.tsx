/** What `useJob` promises: the seven rules that every binding has to keep, and what is its own. */

import * as React from 'react'
import { type ReactNode, StrictMode, useState } from 'react'
import { flushSync } from 'react-dom'
import { expect, test, vi } from 'vitest'
import { sse } from '../../../src/index.ts'
import { JobtailProvider, type UseJobOptions, useJob } from '../../../src/react.ts'
import type { Client, JobEvent, JobSnapshot, JobState } from '../../../src/types.ts'
import { createStage } from '../stage.ts'
import { Boundary, clientOf, mount, watchConsole } from './mount.tsx'

interface CardProps extends UseJobOptions {
  id: string | null | undefined
}

function Card({ id, ...options }: CardProps): ReactNode {
  const { status, progress, error, isPending } = useJob(id, options)
  return <p>{`${status} ${progress?.ratio ?? '-'} ${isPending ? 'pending' : 'settled'}${error ? ` ${error.code}` : ''} `}</p>
}

const within = (client: Client, node: ReactNode): ReactNode => <JobtailProvider client={client}>{node}</JobtailProvider>
const Activity = (React as { Activity?: typeof React.Activity }).Activity // as: React 18 has none

/** The requests that read jobs. */
const reads = ({ arrived }: { arrived: Record<string, number> }): number => (arrived.read ?? 0) + (arrived.snapshot ?? 0) + (arrived['long-poll'] ?? 0)

test('1: onEnd is called once, after the last event, and never because a connection ended', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const told: string[] = []
  const onEnd = vi.fn(({ status }: JobState) => void told.push(`end ${status}`))
  const { text } = mount(within(client, <Card id="42" onEvent={({ type }) => void told.push(type)} onEnd={onEnd} />))
  await expect.poll(text).toBe('running - pending ')
  for (let cuts = 1; cuts <= 3; cuts += 1) {
    await stage.cut()
    await expect.poll(async () => (await stage.counts()).open).toBe(1)
    await stage.publish('42', 'progress', { ratio: cuts / 4 })
    await expect.poll(text).toBe(`running ${cuts / 4} pending `)
  }
  expect(onEnd).not.toHaveBeenCalled()
  await stage.publish('42', 'succeeded', 'done')
  await expect.poll(text).toBe('succeeded 0.75 settled ')
  await expect.poll(() => told.at(-1)).toBe('end succeeded')
  await stage.cut()
  expect(told).toEqual(['started', 'progress', 'progress', 'progress', 'succeeded', 'end succeeded'])
})

test('1: onEnd is told without onEvent too, also of a job that has ended before', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'failed', { code: 'no-disk', message: 'no space left' })
  const onEnd = vi.fn()
  const { render, text } = mount(within(client, <Card id="42" onEnd={onEnd} />))
  await expect.poll(text).toBe('failed - settled no-disk ')
  await expect.poll(() => onEnd.mock.calls.length).toBe(1)
  expect(onEnd.mock.calls[0]?.[0]).toMatchObject({ status: 'failed', error: { code: 'no-disk' } })
  for (const enabled of [false, true, false, true]) flushSync(() => render(within(client, <Card id="42" onEnd={onEnd} enabled={enabled} />)))
  await expect.poll(text).toBe('failed - settled no-disk ')
  expect(onEnd).toHaveBeenCalledTimes(1)
})

test('1: onEnd waits for the events, also where the server that rendered the page knew the end', async () => {
  const stage = await createStage()
  for (const type of ['started', 'log', 'succeeded']) await stage.publish('42', type)
  const told: string[] = []
  const initial: JobSnapshot = { id: '42', status: 'succeeded', epoch: 'e', seq: 3, cursor: 'e-3' }
  const card = <Card id="42" initial={initial} onEvent={({ type }) => void told.push(type)} onEnd={({ status }) => void told.push(`end ${status}`)} />
  const { text } = mount(within(clientOf(stage), card))
  await expect.poll(text).toBe('succeeded - settled ')
  await expect.poll(() => told).toEqual(['started', 'log', 'succeeded', 'end succeeded'])
})

test('2: `enabled` and the id may change any number of times, and events are told once', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const events: JobEvent[] = []
  const onEvent = (event: JobEvent): void => void events.push(event)
  const { render, text } = mount(within(client, <Card id={null} onEvent={onEvent} />))
  await expect.poll(text).toBe('unknown - settled ')
  expect((await stage.counts()).arrived).toMatchObject({ websocket: 0, read: 0, snapshot: 0 })
  for (let round = 1; round <= 5; round += 1) {
    render(within(client, <Card id="42" onEvent={onEvent} />))
    await stage.publish('42', 'progress', { ratio: round / 10 })
    await expect.poll(text).toBe(`running ${round / 10} pending `)
    await expect.poll(() => events.length).toBe(1 + round)
    render(within(client, round % 2 ? <Card id="42" enabled={false} onEvent={onEvent} /> : <Card id={undefined} onEvent={onEvent} />))
    await expect.poll(text).toBe('unknown - settled ')
    await expect.poll(async () => (await stage.counts()).open).toBe(0)
    if (round % 2 === 0) events.length = 0 // a null id in between: the events come again
  }
})

test('3: new options with the same content restart nothing, and the latest callback is the one called', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const told: string[] = []
  const initial = (): JobSnapshot => ({ id: '42', status: 'queued', epoch: 'e', seq: 0, cursor: 'e-0' })
  let renders = 0
  const card = (): ReactNode => {
    const render = ++renders
    return within(
      client,
      <Card id="42" initial={initial()} onEvent={({ type }) => void told.push(`${render} ${type}`)} onEnd={() => void told.push(`${render} end`)} />
    )
  }
  const { render, text } = mount(card())
  await expect.poll(text).toBe('running - pending ')
  await expect.poll(() => told).toEqual(['1 started'])
  const before = await stage.counts()
  while (renders < 50) flushSync(() => render(card()))
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(() => told).toEqual(['1 started', '50 progress'])
  flushSync(() => render(card()))
  await stage.publish('42', 'succeeded')
  await expect.poll(() => told).toEqual(['1 started', '50 progress', '51 succeeded', '51 end'])
  expect((await stage.counts()).arrived).toEqual(before.arrived)
})

test('`initial` and `after` are those of the id that they come with', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  const ids: Record<string, string> = {}
  for (const job of ['42', '43']) {
    await stage.publish(job, 'started')
    await stage.publish(job, 'progress', { ratio: 0.5 })
    ids[job] = (await client.subscribe(job)[Symbol.asyncIterator]().next()).value?.id ?? ''
  }
  const told: string[] = []
  const initial = (id: string, ratio: number): JobSnapshot => ({ id, status: 'running', epoch: 'e', seq: 0, cursor: 'e-0', progress: { ratio } })
  const at = (id: string, ratio: number): ReactNode => (
    <Card id={id} initial={initial(id, ratio)} after={ids[id]} onEvent={({ job, type }) => void told.push(`${job} ${type}`)} />
  )
  await stage.set({ stalled: true })
  const { render, text } = mount(within(client, at('42', 0.1)))
  await expect.poll(text).toBe('running 0.1 pending ')
  flushSync(() => render(within(client, at('43', 0.2))))
  expect(text()).toBe('running 0.2 pending ')
  await stage.set({ stalled: false })
  await expect.poll(text).toBe('running 0.5 pending ')
  await expect.poll(() => told).toEqual(['43 progress'])
  flushSync(() => render(within(client, <Card id="44" initial={initial('43', 0.3)} />)))
  expect(text()).toBe('unknown - pending ')
})

test('3: what a callback throws is reported, and the next event is told', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const told: string[] = []
  const reported = vi.spyOn(globalThis, 'reportError').mockImplementation(() => {})
  const onEvent = ({ type }: JobEvent): void => {
    told.push(type)
    throw new Error(`wrong: ${type}`)
  }
  mount(within(client, <Card id="42" onEvent={onEvent} />))
  await expect.poll(() => told).toEqual(['started'])
  await stage.publish('42', 'succeeded')
  await expect.poll(() => told).toEqual(['started', 'succeeded'])
  expect(reported.mock.calls).toEqual([[new Error('wrong: started')], [new Error('wrong: succeeded')]])
  reported.mockRestore()
})

test('4: StrictMode costs nothing on the wire, and tells each event once', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const said = watchConsole()
  const told: string[] = []
  const card = <Card id="42" onEvent={({ type }) => void told.push(type)} onEnd={() => void told.push('end')} />
  const { text } = mount(<StrictMode>{within(client, card)}</StrictMode>)
  await expect.poll(text).toBe('running - pending ')
  await stage.publish('42', 'succeeded')
  await expect.poll(text).toBe('succeeded - settled ')
  await expect.poll(() => told).toEqual(['started', 'succeeded', 'end'])
  const counts = await stage.counts()
  expect(counts.arrived.websocket).toBe(1)
  expect(reads(counts)).toBeLessThanOrEqual(2)
  expect(said).toEqual([])
})

test.skipIf(!Activity)('4: <Activity> that hides and shows within a task costs nothing on the wire; while hidden nothing is followed', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const told: unknown[] = []
  const card = <Card id="42" onEvent={({ seq }) => void told.push(seq)} onEnd={() => void told.push('end')} />
  const { Activity: Shown = () => null } = React
  const at = (mode: 'visible' | 'hidden'): ReactNode => within(client, <Shown mode={mode}>{card}</Shown>)
  const { render, text } = mount(at('visible'))
  await expect.poll(text).toBe('running - pending ')
  await expect.poll(() => told).toEqual([1])
  const before = await stage.counts()
  for (let times = 0; times < 20; times += 1) {
    flushSync(() => render(at('hidden')))
    flushSync(() => render(at('visible')))
  }
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(text).toBe('running 0.5 pending ')
  expect((await stage.counts()).arrived).toEqual(before.arrived)
  render(at('hidden'))
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  await stage.publish('42', 'progress', { ratio: 0.75 })
  await stage.publish('42', 'succeeded')
  render(at('visible'))
  await expect.poll(text).toBe('succeeded 0.75 settled ')
  await expect.poll(() => told).toEqual([1, 2, 3, 4, 'end'])
})

test('5: ten components cost one connection and one JSON read', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'progress', { ratio: 0.25 })
  const keys = Array.from({ length: 10 }, (_, index) => index)
  const { text } = mount(
    within(
      client,
      keys.map((key) => <Card key={key} id="42" />)
    )
  )
  await expect.poll(text).toBe('running 0.25 pending '.repeat(10))
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(text).toBe('running 0.5 pending '.repeat(10))
  const counts = await stage.counts()
  expect(counts.open).toBe(1)
  expect({ reads: reads(counts), websocket: counts.arrived.websocket }).toEqual({ reads: 1, websocket: 1 })
})

test('6: unmounting does not cancel, and a job is cancelled after a reload', async () => {
  const stage = await createStage()
  const { jobId } = await clientOf(stage).start({})
  const client = clientOf(stage) // another page's
  function Stop(): ReactNode {
    const { status, cancel } = useJob(jobId)
    return (
      <button type="button" onClick={() => void cancel()}>
        {status}
      </button>
    )
  }
  const first = mount(within(client, <Stop />))
  await expect.poll(first.text).toBe('running')
  first.unmount()
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  const { container, text } = mount(within(clientOf(stage), <Stop />))
  await expect.poll(text).toBe('running')
  expect((await stage.counts()).arrived.cancel).toBe(0)
  container.querySelector('button')?.click()
  await expect.poll(text).toBe('cancelled')
  expect((await stage.counts()).arrived.cancel).toBe(1)
})

test('cancel without a job says so', async () => {
  const stage = await createStage()
  let cancel: (() => Promise<void>) | undefined
  function Stop(): ReactNode {
    cancel = useJob(null).cancel
    return 'there'
  }
  const { text } = mount(within(clientOf(stage), <Stop />))
  await expect.poll(text).toBe('there')
  await expect(cancel?.()).rejects.toMatchObject({ code: 'bad-request', message: expect.stringContaining('expected a job, got none') })
})

test('an unknown job is an error, which is no longer pending', async () => {
  const stage = await createStage()
  const { text } = mount(within(clientOf(stage, { unknownJobGraceMs: 0 }), <Card id="nobody" />))
  await expect.poll(text).toBe('unknown - settled unknown-job ')
})

test('where only the events cannot be read, `error` says why', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  // What a server answers that has no history before some cursor.
  const gone = (): Response => new Response('{"status":410,"code":"history-gone","message":"gone"}', { status: 410 })
  const isShown = Promise.withResolvers<void>()
  const ask = (...[url, init]: Parameters<typeof fetch>): Promise<Response> => (`${url}`.includes('after=old') ? isShown.promise.then(gone) : fetch(url, init))
  const client = clientOf(stage, { fetch: ask, transports: [sse()] })
  const { render, text } = mount(within(client, <Card id="42" after="old-1" onEvent={() => {}} />))
  await expect.poll(text).toBe('running - pending ')
  isShown.resolve()
  await expect.poll(text).toBe('running - settled history-gone ')
  render(within(client, <Card id="43" onEvent={() => {}} />))
  await expect.poll(text).toBe('unknown - pending ')
})

test.for([
  ['id', <Card key="1" id="" />],
  ['after', <Card key="2" id="42" after="not a cursor" onEvent={() => {}} />],
  ['snapshot', <Card key="3" id="42" initial={{ id: '42' } as JobSnapshot} />]
] as const)('a bad %s is an error that an error boundary gets', async ([name, card]) => {
  const stage = await createStage()
  watchConsole()
  const { text } = mount(<Boundary>{within(clientOf(stage), card)}</Boundary>)
  await expect.poll(text).toMatch(new RegExp(`^bad-request .*${name}.*: expected`))
})

test('the client of the option comes before the provider, and another one follows anew', async () => {
  const [one, other] = await Promise.all([createStage(), createStage()])
  const clients = [clientOf(one), clientOf(other)] as const
  await one.publish('42', 'progress', { ratio: 0.25 })
  await other.publish('42', 'progress', { ratio: 0.5 })
  const { render, text } = mount(within(clients[0], <Card id="42" client={clients[1]} />))
  await expect.poll(text).toBe('running 0.5 pending ')
  render(within(clients[0], <Card id="42" />))
  await expect.poll(text).toBe('running 0.25 pending ')
  await expect.poll(async () => (await other.counts()).open).toBe(0)
})

test('a component is not rendered after it was unmounted', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const said = watchConsole()
  let renders = 0
  let toggle: (isThere: boolean) => void = () => {}
  function Counted(): ReactNode {
    renders += 1
    return <Card id="42" onEvent={() => {}} />
  }
  function Page(): ReactNode {
    const [isThere, set] = useState(true)
    toggle = set
    return isThere ? <Counted /> : 'gone'
  }
  const { text } = mount(within(client, <Page />))
  await expect.poll(text).toBe('running - pending ')
  const burst = stage.burst('42', { perSecond: 500, ms: 200 })
  await expect.poll(text).not.toContain(' - ')
  flushSync(() => toggle(false))
  const before = renders
  await burst
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  expect(renders).toBe(before)
  expect(text()).toBe('gone')
  expect(said).toEqual([])
})
