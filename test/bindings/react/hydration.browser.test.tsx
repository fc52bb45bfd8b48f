/** A page that a server has rendered: `initial` is shown at once, there and in the page, and React takes over what is there. */

import { type ReactNode, StrictMode } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { expect, onTestFinished, test } from 'vitest'
import { JobtailProvider, useJob, useJobEvents, useJobs, useStartJob } from '../../../src/react.ts'
import type { Client, JobSnapshot } from '../../../src/types.ts'
import { createStage } from '../stage.ts'
import { clientOf, watchConsole } from './mount.tsx'

const initial: JobSnapshot = { id: '42', status: 'running', epoch: 'e', seq: 2, cursor: 'e-2', progress: { ratio: 0.25 } }

function Card({ snapshot }: { snapshot: JobSnapshot | undefined }): ReactNode {
  const { status, progress, connection } = useJob('42', { initial: snapshot })
  const events = useJobEvents('42')
  const { isPending } = useStartJob()
  return <p>{`${status} ${progress?.ratio ?? '-'} ${connection.phase} ${events.length} ${useJobs().length} ${isPending}`}</p>
}

const page = (client: Client, snapshot?: JobSnapshot): ReactNode => (
  <StrictMode>
    <JobtailProvider client={client}>
      <Card snapshot={snapshot && { ...snapshot }} />
    </JobtailProvider>
  </StrictMode>
)

/** Renders as a server does, then hydrates. Collects what React says of it. */
function open(node: (client: Client) => ReactNode, client: Client, serversClient: Client) {
  const container = document.body.appendChild(document.createElement('div'))
  container.innerHTML = renderToString(node(serversClient))
  const atFirst = container.textContent
  const shown = [atFirst]
  new MutationObserver(() => shown.push(container.textContent)).observe(container, { childList: true, characterData: true, subtree: true })
  const errors: unknown[] = []
  const root = hydrateRoot(container, node(client), { onRecoverableError: (error) => errors.push(error) })
  onTestFinished(() => {
    root.unmount()
    container.remove()
  })
  return { atFirst, errors, shown, text: () => container.textContent }
}

test.for([
  ['with `initial`', initial, 'running 0.25 idle 0 0 false'],
  ['without', undefined, 'unknown - idle 0 0 false']
] as const)('%s', async ([, snapshot, expected]) => {
  const stage = await createStage()
  const said = watchConsole()
  for (const type of ['queued', 'started']) await stage.publish('42', type)
  const { atFirst, errors, shown, text } = open((client) => page(client, snapshot), clientOf(stage), clientOf(stage))
  expect(atFirst).toBe(expected)
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(text).toMatch(/^running 0.5 live 3 /)
  if (snapshot) expect(shown.filter((each) => each?.startsWith('unknown'))).toEqual([])
  expect({ errors, said }).toEqual({ errors: [], said: [] })
})

test('where the page knows more than the server that rendered it', async () => {
  const stage = await createStage()
  const said = watchConsole()
  await stage.publish('42', 'progress', { ratio: 0.75 })
  const client = clientOf(stage)
  const leave = client.job('42').subscribe(() => {})
  await expect.poll(() => client.job('42').state.progress).toEqual({ ratio: 0.75 })
  const { atFirst, errors, text } = open((each) => page(each, initial), client, clientOf(stage))
  expect(atFirst).toMatch(/^running 0.25 /)
  await expect.poll(text).toMatch(/^running 0.75 live 1 /)
  leave()
  expect({ errors, said }).toEqual({ errors: [], said: [] })
})
