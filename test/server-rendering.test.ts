/** A server renders a page that will follow a job: with React, as README.md shows it, and without a location. */

import { createElement, useSyncExternalStore } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, test, vi } from 'vitest'
import { createClient, start, subscribe } from '../src/index.ts'
import type { JobState, Subscription } from '../src/types.ts'

const shown = ({ status, progress, connection }: JobState): string => `${status} ${progress?.ratio ?? 0} ${connection.phase}`

function Card({ job }: { job: Subscription }) {
  const state = useSyncExternalStore(
    job.onChange,
    () => job.state,
    () => job.state
  )
  return createElement('p', {}, shown(state))
}

test.each<[string, () => Subscription]>([
  ['subscribe', () => subscribe('42')],
  ['subscribe, with options', () => subscribe('42', { token: () => 'abc', after: 'a-1' })],
  ['a client', () => createClient({ url: '/api/jobs' }).subscribe('42')]
])('%s: is rendered, and asks for nothing', (_, make) => {
  const fetch = vi.spyOn(globalThis, 'fetch')
  const job = make()
  expect(renderToString(createElement(Card, { job }))).toBe('<p>unknown 0 idle</p>')
  expect(job.state).toBe(job.state)
  expect(fetch).not.toHaveBeenCalled()
  fetch.mockRestore()
})

test('without the third argument React has nothing to render', () => {
  const Wrong = ({ job }: { job: Subscription }) => createElement('p', {}, shown(useSyncExternalStore(job.onChange, () => job.state)))
  expect(() => renderToString(createElement(Wrong, { job: subscribe('42') }))).toThrow(/getServerSnapshot/)
})

test('what needs a page says so, and no earlier than it is used', async () => {
  const message = expect.stringContaining('url: expected an http: or https: URL without a password, absolute outside of a page, got "/jobs"')
  await expect(subscribe('42').result).rejects.toMatchObject({ code: 'bad-request', message })
  await expect(start({})).rejects.toMatchObject({ code: 'bad-request', message })
})
