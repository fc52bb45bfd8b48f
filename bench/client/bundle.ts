/** Bundles the page's code from its TypeScript, with the types blanked out, and the contestants' packages as published. */

import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import { type Plugin, rollup } from 'rollup'

// Node warns once that type stripping is experimental. Users of the bench can't do anything about that.
const { emitWarning } = process
process.emitWarning = () => {}
stripTypeScriptTypes('')
process.emitWarning = emitWarning

// as: its types are those of its CommonJS form
const minify = terser as unknown as typeof terser.default

const stripTypes: Plugin = {
  name: 'strip-types',
  async load(id) {
    return id.endsWith('.ts') ? stripTypeScriptTypes(await readFile(id, 'utf8')) : null
  }
}

async function generate(input: string, plugins: Plugin[]): Promise<string> {
  const bundle = await rollup({
    input,
    plugins: [...plugins, nodeResolve({ browser: true }), stripTypes, minify({ ecma: 2022, compress: { passes: 3 } })],
    onwarn(warning) {
      if (warning.code !== 'THIS_IS_UNDEFINED') throw new Error(warning.message) // caused by code that was compiled for older engines
    }
  })
  const { output } = await bundle.generate({ format: 'es' })
  await bundle.close()
  return output[0].code
}

export const bundlePage = (): Promise<string> => generate(fileURLToPath(new URL('page/main.ts', import.meta.url)), [])
