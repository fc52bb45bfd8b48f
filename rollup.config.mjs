import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'

/** Follows the source maps of what it bundles, so that the bundle's own leads to TypeScript, which it carries along. */
const withSourceMaps = () => ({
  name: 'with-source-maps',
  async load(id) {
    const code = await readFile(id, 'utf8')
    const text = await readFile(`${id}.map`, 'utf8').catch(() => undefined) // a dependency may have none
    if (text === undefined) return { code }
    const map = JSON.parse(text)
    map.sourcesContent ??= await Promise.all(map.sources.map((source) => readFile(resolve(dirname(id), source), 'utf8')))
    return { code, map }
  }
})

/** A script that adds what a module exports to the global `Jobtail`, in whatever order such scripts come. */
const script = (input, file, banner) => ({
  input,
  output: { file, banner, format: 'iife', name: 'Jobtail', extend: true, exports: 'named', sourcemap: true },
  plugins: [nodeResolve({ browser: true }), withSourceMaps(), terser({ ecma: 2022, compress: { passes: 3, keep_fargs: false }, format: { comments: /^!/ } })],
  onwarn(warning) {
    throw new Error(warning.message)
  }
})

export default [
  script(
    'dist/index.js',
    'dist/jobtail.min.js',
    '/*! Jobtail, MIT. Contains eventsource-parser (MIT) and idb-keyval (Apache-2.0), see THIRD-PARTY-NOTICES. */'
  ),
  script('dist/explain.js', 'dist/jobtail-explain.min.js', '/*! Jobtail, MIT. */')
]
