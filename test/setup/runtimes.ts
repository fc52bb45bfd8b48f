import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** The runtimes besides Node that the server kit supports. */
export type RuntimeName = 'bun' | 'deno'

/** The version to install where there is none. */
export const runtimeVersions: Readonly<Record<RuntimeName, string>> = { bun: '1.4.5', deno: '2.9.6' }

/** The folder to install it in. It is a hundred megabytes that only tests need, and npm would remove it from the other packages. */
export const runtimeFolder = (name: RuntimeName): string => join(import.meta.dirname, '../../node_modules/.cache/jobtail', name)

/** The path of its program; `undefined` where there is none, or where `BUN_PATH` or `DENO_PATH` is empty. */
export function findRuntime(name: RuntimeName): string | undefined {
  const asked = process.env[`${name.toUpperCase()}_PATH`]
  if (asked !== undefined) return asked || undefined
  const folders = [...(process.env.PATH ?? '').split(delimiter), join(runtimeFolder(name), 'node_modules/.bin')]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}
