import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const entry = fileURLToPath(new URL('../../../src/server/fetch.ts', import.meta.url))

export interface Bundle {
  code: string
  /** The modules that it imports from outside of the bundle. */
  imports: string[]
}

/** Bundles `jobtail/server/fetch` for a runtime other than Node. `iife` sets the global `jobtail`. */
export async function bundleFetch(format: 'es' | 'iife', conditionNames: readonly string[]): Promise<Bundle> {
  const build = await rolldown({
    input: entry,
    platform: 'neutral',
    external: /^(node:|ws$)/,
    resolve: { conditionNames: [...conditionNames, 'import', 'default'] }
  })
  const { output } = await build.generate({ format, name: 'jobtail' })
  await build.close()
  const [{ code, imports }] = output
  return { code, imports }
}
