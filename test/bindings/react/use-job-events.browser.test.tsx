/** What `useJobEvents` promises. */

import * as React from 'react'
import { type ReactNode, StrictMode } from 'react'
import { flushSync } from 'react-dom'
import { expect, test } from 'vitest'
import { JobtailProvider, type UseJobEventsOptions, useJobEvents } from '../../../src/react.ts'
import type { Client } from '../../../src/types.ts'
import { createStage } from '../stage.ts'
import { Boundary, clientOf, mount, watchConsole } from './mount.tsx'

function List({ id, ...options }: { id: string | null } & UseJobEventsOptions): ReactNode {
  return useJobEvents(id, options)
    .map(({ seq, type }) => `${seq} ${type}`)
    .join(', ')
}

const within = (client: Client, node: ReactNode): ReactNode => <JobtailProvider client={client}>{node}</JobtailProvider>
const hasActivity = 'Activity' in React

test('every event is there once, in order, in StrictMode too, and the list begins anew with another id', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  for (const type of ['started', 'log', 'log']) await stage.publish('42', type)
  await stage.publish('43', 'succeeded')
  const at = (id: string | null): ReactNode => <StrictMode>{within(client, <List id={id} />)}</StrictMode>
  const { render, text } = mount(at('42'))
  await expect.poll(text).toBe('1 started, 2 log, 3 log')
  await stage.cut()
  await stage.publish('42', 'log')
  await expect.poll(text).toBe('1 started, 2 log, 3 log, 4 log')
  flushSync(() => render(at('43')))
  expect(text()).toBe('')
  await expect.poll(text).toBe('1 succeeded')
  flushSync(() => render(at(null)))
  expect(text()).toBe('')
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
})

test('the latest `limit` events are kept, and another limit reads them again', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.burst('42', { perSecond: 1000, ms: 50 })
  const { render, text } = mount(within(client, <List id="42" limit={3} />))
  await expect.poll(text).toBe('48 progress, 49 progress, 50 progress')
  await stage.publish('42', 'succeeded')
  await expect.poll(text).toBe('49 progress, 50 progress, 51 succeeded')
  render(within(client, <List id="42" limit={4} />))
  await expect.poll(text).toBe('48 progress, 49 progress, 50 progress, 51 succeeded')
})

test.for([0, Number.NaN, -1])('a limit of %d is an error that says so', async (limit) => {
  const stage = await createStage()
  watchConsole()
  const { text } = mount(<Boundary>{within(clientOf(stage), <List id="42" limit={limit} />)}</Boundary>)
  await expect.poll(text).toBe(`bad-request limit: expected a number from 1, got ${limit}`)
})

test.skipIf(!hasActivity)('a list that was hidden goes on where it was', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'started')
  const { Activity } = React
  const at = (mode: 'visible' | 'hidden'): ReactNode =>
    within(
      client,
      <Activity mode={mode}>
        <List id="42" />
      </Activity>
    )
  const { render, text } = mount(at('visible'))
  await expect.poll(text).toBe('1 started')
  render(at('hidden'))
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  await stage.publish('42', 'succeeded')
  render(at('visible'))
  await expect.poll(text).toBe('1 started, 2 succeeded')
  const before = await stage.counts()
  flushSync(() => render(at('hidden')))
  flushSync(() => render(at('visible')))
  expect(text()).toBe('1 started, 2 succeeded')
  expect((await stage.counts()).arrived).toEqual(before.arrived)
})
