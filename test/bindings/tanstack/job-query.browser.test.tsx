/** Jobs as queries in React, by the real React Query in a real page, from a real job server. */

import { focusManager, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { type ReactNode, StrictMode } from 'react'
import { expect, onTestFinished, test } from 'vitest'
import { jobQuery } from '../../../src/tanstack.ts'
import type { Client } from '../../../src/types.ts'
import { clientOf, mount } from '../react/mount.tsx'
import { createStage, type Stage } from '../stage.ts'

function Card({ client, id }: { client: Client; id: string }): ReactNode {
  const { status, fetchStatus, data } = useQuery(jobQuery(client, id))
  return <p>{`${status} ${fetchStatus} ${data?.status} ${data?.progress?.ratio ?? '-'}; `}</p>
}

const page = (cache: QueryClient, node: ReactNode): ReactNode => (
  <StrictMode>
    <QueryClientProvider client={cache}>{node}</QueryClientProvider>
  </StrictMode>
)

function createCache(): QueryClient {
  const cache = new QueryClient()
  onTestFinished(() => cache.clear())
  return cache
}

/** How often the job was asked for, and how often it was connected to. */
const asked = async (stage: Stage): Promise<number[]> => {
  const { websocket, snapshot, read } = (await stage.counts()).arrived
  return [websocket, snapshot + read]
}

test('ten components have one connection and one request, and the last one that leaves ends it', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'progress', { ratio: 0.5 })
  const cards = Array.from({ length: 10 }, (_, index) => <Card key={index} client={client} id="42" />)
  const cache = createCache()
  const { render, text } = mount(page(cache, cards))
  await expect.poll(text).toBe('success fetching running 0.5; '.repeat(10))
  await expect.poll(async () => (await stage.counts()).open).toBe(1)
  expect(await asked(stage)).toEqual([1, 1])
  render(page(cache, cards.slice(0, 1)))
  await expect.poll(text).toBe('success fetching running 0.5; ')
  expect((await stage.counts()).open).toBe(1)
  render(page(cache, null))
  await expect.poll(async () => (await stage.counts()).open).toBe(0)

  await stage.publish('42', 'succeeded')
  render(page(cache, cards))
  await expect.poll(text).toBe('success idle succeeded 0.5; '.repeat(10))
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
})

test('coming back to the window refetches nothing, while the job runs and afterwards', async () => {
  const stage = await createStage()
  const client = clientOf(stage)
  await stage.publish('42', 'progress', { ratio: 0.5 })
  const cache = createCache()
  let fetches = 0
  cache.getQueryCache().subscribe((event) => {
    if (event.type === 'updated' && event.action.type === 'fetch') fetches += 1
  })
  const { text } = mount(page(cache, <Card client={client} id="42" />))
  const comeBack = (): void => {
    for (const isFocused of [false, true]) focusManager.setFocused(isFocused)
  }
  onTestFinished(() => focusManager.setFocused(undefined))
  await expect.poll(text).toBe('success fetching running 0.5; ')
  await expect.poll(async () => (await stage.counts()).open).toBe(1)
  const before = [await asked(stage), fetches]
  expect(fetches).toBeGreaterThan(0)
  comeBack()
  await stage.publish('42', 'progress', { ratio: 0.75 })
  await expect.poll(text).toBe('success fetching running 0.75; ')
  await stage.publish('42', 'succeeded')
  await expect.poll(text).toBe('success idle succeeded 0.75; ')
  comeBack()
  expect(text()).toBe('success idle succeeded 0.75; ')
  expect([await asked(stage), fetches]).toEqual(before)
})
