/** `useJobs`: a page finds its jobs again after a reload. And `use(job.result)`, which waits for a job's end. */

import * as React from 'react'
import { type ReactNode, Suspense } from 'react'
import { expect, test } from 'vitest'
import { JobtailProvider, useClient, useJob, useJobs } from '../../../src/react.ts'
import type { Client } from '../../../src/types.ts'
import { createStage, type Stage } from '../stage.ts'
import { Boundary, clientOf, mount, watchConsole } from './mount.tsx'

/** A client that keeps what jobs there are in IndexedDB, as is the default. */
const keeping = (stage: Stage): Client => clientOf(stage, { jobStorage: undefined })
const within = (client: Client, node: ReactNode): ReactNode => <JobtailProvider client={client}>{node}</JobtailProvider>

function Row({ id }: { id: string }): ReactNode {
  const { status, cancel } = useJob(id)
  return (
    <button type="button" onClick={() => void cancel()}>
      {status}
    </button>
  )
}
const List = (): ReactNode => useJobs().map(({ id }) => <Row key={id} id={id} />)

test('running jobs are found by another page, followed, and leave the list as they end', async () => {
  const stage = await createStage()
  const first = mount(within(keeping(stage), <List />))
  await expect.poll(first.text).toBe('')
  const starter = keeping(stage)
  const { jobId } = await starter.start({})
  await starter.start({})
  first.unmount()
  const { container, text } = mount(within(keeping(stage), <List />))
  await expect.poll(text).toBe('runningrunning')
  await stage.finish(jobId)
  await expect.poll(text).toBe('running')
  container.querySelector('button')?.click()
  await expect.poll(text).toBe('')
  expect((await stage.counts()).arrived).toMatchObject({ start: 2, cancel: 1 })
  await starter.forget()
})

test.skipIf(!('use' in React))('Suspense waits for `use(job.result)`, without a hook of its own, and an error boundary gets the failure', async () => {
  const stage = await createStage()
  watchConsole()
  await stage.publish('42', 'started')
  await stage.publish('43', 'started')
  function Result({ id }: { id: string }): ReactNode {
    return `result ${React.use(useClient().job(id).result)}`
  }
  const at = (id: string): ReactNode => (
    <Boundary key={id}>
      <Suspense fallback="waiting">
        <Result id={id} />
      </Suspense>
    </Boundary>
  )
  const client = clientOf(stage)
  const { render, text } = mount(within(client, at('42')))
  await expect.poll(text).toBe('waiting')
  await stage.publish('42', 'succeeded', 7)
  await expect.poll(text).toBe('result 7')
  render(within(client, at('43')))
  await expect.poll(text).toBe('waiting')
  await stage.publish('43', 'failed', { code: 'no-disk', message: 'no space left' })
  await expect.poll(text).toMatch(/^no-disk .*no space left/)
  const { arrived, open } = await stage.counts()
  expect(arrived.websocket).toBeLessThanOrEqual(2)
  expect(open).toBeLessThanOrEqual(1)
})
