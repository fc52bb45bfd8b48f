import { readFile } from 'node:fs/promises'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'

/** Follows the source maps that tsc wrote, so that the bundle's map leads to src/ and not to dist/. */
const withSourceMaps = () => ({
  name: 'with-source-maps',
  async load(id) {
    const code = await readFile(id, 'utf8')
    const map = await readFile(`${id}.map`, 'utf8').catch(() => null) // a dependency may have none
    return { code, map }
  }
})

export default {
  input: 'dist/index.js',
  output: {
    file: 'dist/jobtail.min.js',
    format: 'iife',
    name: 'Jobtail',
    exports: 'named',
    sourcemap: true,
    banner: '/*! Jobtail, MIT. Contains eventsource-parser (MIT) and idb-keyval (Apache-2.0), see THIRD-PARTY-NOTICES. */'
  },
  plugins: [
    nodeResolve({ browser: true }),
    withSourceMaps(),
    terser({ ecma: 2020, module: true, compress: { passes: 4, keep_fargs: false }, format: { comments: /^!/ } })
  ],
  onwarn(warning) {
    throw new Error(warning.message)
  }
}
