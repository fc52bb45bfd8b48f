import { readFile } from 'node:fs/promises'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bin, type Packed, pack, run } from './tarball.ts'

let packed: Packed
beforeAll(async () => {
  packed = await pack()
})
afterAll(() => packed.remove())

test('publint finds nothing', async () => {
  const { buffer } = new Uint8Array(await readFile(packed.tarball))
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: buffer } })
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

test('each entry has the right types in every resolution mode', async () => {
  const { stdout, code = 0 }: { stdout: string; code?: number } = await run(bin('attw'), [packed.tarball, '--profile', 'esm-only', '--no-color']).catch(
    (error) => error
  )
  expect(code, stdout).toBe(0)
  for (const entry of [
    'jobtail/backends',
    'jobtail/explain',
    'jobtail/server',
    'jobtail/server/bullmq',
    'jobtail/server/fetch',
    'jobtail/server/redis',
    'jobtail/testing'
  ])
    expect(stdout).toContain(entry)
})
