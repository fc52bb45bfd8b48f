/** A server renders components that follow jobs: in Node, without a window, with both majors of React. */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { JobSnapshot } from '../../../src/types.ts'

const root = join(import.meta.dirname, '../../..')
const initial: JobSnapshot = { id: '42', status: 'running', epoch: 'e', seq: 2, cursor: 'e-2', progress: { ratio: 0.25 } }

describe.each(['node_modules', 'test/react-18/node_modules'])('React of %s', (folder) => {
  /** As Node loads it: `react-dom` then has the same React. */
  const load = createRequire(join(root, folder, 'here.js'))
  beforeEach(() => {
    vi.resetModules()
    vi.doMock('react', () => ({ ...load('./react') }))
  })

  /** Renders a component that uses every hook, with the options of `useJob`. Returns what it shows, and what was asked and said meanwhile. */
  async function render(id: string | null, options: object, isProvided = true) {
    const { createElement } = load('./react')
    const { renderToString } = load('./react-dom/server.js')
    const { createClient } = await import('../../../src/index.ts')
    const { JobtailProvider, useJob, useJobEvents, useJobs, useStartJob } = await import('../../../src/react.ts')
    const said: unknown[] = []
    const spies = (['warn', 'error'] as const).map((level) => vi.spyOn(console, level).mockImplementation((...args) => void said.push(args)))
    const fetch = vi.spyOn(globalThis, 'fetch')
    const timers = vi.spyOn(globalThis, 'setTimeout')
    function Card() {
      const { status, progress, isPending } = useJob(id, { ...options, onEvent() {}, onEnd() {} })
      const { jobId } = useStartJob()
      return createElement('p', {}, `${status} ${progress?.ratio ?? '-'} ${isPending} ${useJobEvents(id).length} ${useJobs().length} ${jobId}`)
    }
    const card = createElement(Card)
    const html = renderToString(isProvided ? createElement(JobtailProvider, { client: createClient({ url: '/api/jobs' }) }, card) : card)
    const asked = [fetch.mock.calls, timers.mock.calls.length]
    for (const spy of [...spies, fetch, timers]) spy.mockRestore()
    return { html, asked, said }
  }
  const quietly = (html: string) => ({ html: `<p>${html}</p>`, asked: [[], 0], said: [] })

  test('is the one that is wanted', () => {
    expect(load('./react').version.split('.')[0]).toBe(folder.includes('18') ? '18' : '19')
  })

  test('shows `initial`, and asks for nothing', async () => {
    expect(await render('42', { initial })).toEqual(quietly('running 0.25 true 0 0 undefined'))
    expect(await render('42', { initial: { ...initial, status: 'succeeded' } }, false)).toEqual(quietly('succeeded 0.25 false 0 0 undefined'))
  })

  test('without `initial` it is unknown, and what another request has rendered is not shown', async () => {
    await render('42', { initial })
    expect(await render('42', {}, false)).toEqual(quietly('unknown - true 0 0 undefined'))
    expect(await render('43', { initial })).toEqual(quietly('unknown - true 0 0 undefined'))
    expect(await render(null, { initial })).toEqual(quietly('unknown - false 0 0 undefined'))
    expect(await render('42', { initial, enabled: false })).toEqual(quietly('unknown - false 0 0 undefined'))
  })
})
