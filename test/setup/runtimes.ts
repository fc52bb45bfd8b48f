import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** Other runtimes than Node that the kit says it runs on. */
export type RuntimeName = 'bun' | 'deno'

/** The version that is installed where there is none. */
export const runtimeVersions: Readonly<Record<RuntimeName, string>> = { bun: '1.4.5', deno: '2.9.6' }

/** Where it is installed, alone, since npm removes what it was not asked for: a hundred megabytes, too much for those who don't run the tests. */
export const runtimeFolder = (name: RuntimeName): string => join(import.meta.dirname, '../../node_modules/.cache/jobtail', name)

/** Where it is; `undefined` where there is none, or none is to be used (`BUN_PATH` or `DENO_PATH` is empty). */
export function findRuntime(name: RuntimeName): string | undefined {
  const asked = process.env[`${name.toUpperCase()}_PATH`]
  if (asked !== undefined) return asked || undefined
  const folders = [...(process.env.PATH ?? '').split(delimiter), join(runtimeFolder(name), 'node_modules/.bin')]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}
