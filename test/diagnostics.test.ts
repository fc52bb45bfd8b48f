/** Tools observe every client of a page. */

import { expect, test, vi } from 'vitest'
import { observe } from '../src/diagnostics.ts'
import type { Client, Diagnostic } from '../src/types.ts'
import { elapse } from './client/virtual-time.ts'
import { createWorld, run, useVirtualTime } from './client/world.ts'

useVirtualTime()

test('each diagnostic reaches those who observe, with its client, and `onDiagnostic` too', async () => {
  const shown = vi.spyOn(console, 'error').mockImplementation(() => {})
  const world = createWorld()
  const other = world.another({ onDiagnostic: undefined })
  const seen: [Client, Diagnostic][] = []
  const end = [observe((diagnostic, client) => seen.push([client, diagnostic])), observe(() => expect.unreachable())]
  for (const [index, client] of [world.client, other].entries()) {
    world.log.append(`${index}`, 'succeeded')
    run(client.subscribe(`${index}`))
  }
  await elapse(100)
  expect(world.diagnosticsOf('ended')).toMatchObject([{ job: '0' }])
  expect(seen.filter(([, { type }]) => type === 'ended').map(([client, each]) => [client === other, each])).toMatchObject([
    [false, { job: '0', at: expect.any(Number) }],
    [true, { job: '1' }]
  ])
  expect(shown).toHaveBeenCalledTimes(seen.length)

  const before = seen.length
  for (const each of end) each()
  world.log.append('2', 'succeeded')
  run(other.subscribe('2'))
  await elapse(100)
  expect(seen).toHaveLength(before)
  other.close()
})
