import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('a thousand subscriptions that are left in the middle of faults leave no socket, timer, listener or memory behind', { timeout: 300_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(new URL('main.ts', import.meta.url))], { encoding: 'utf8' })
  console.log(stdout)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})
