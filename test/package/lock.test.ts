/** `npm ci` refuses a lock file that lacks a dependency. npm writes one if the registry lacks an optional dependency at that time. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './tarball.ts'

interface Locked {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

test('the lock file has every dependency that its packages name', () => {
  const { packages }: { packages: Record<string, Locked> } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !placesFor(path, name).some((place) => place in packages))
      .map((name) => `${name}, of ${path}`)
  )
  expect(missing).toEqual([])
})

/** Where a package at `path` looks for a dependency: in each `node_modules` folder on the way up. */
function placesFor(path: string, name: string): string[] {
  const folders = path.split('/node_modules/')
  const above = folders.map((_, index) => folders.slice(0, index + 1).join('/node_modules/'))
  return [`node_modules/${name}`, ...above.map((folder) => (folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`))]
}
