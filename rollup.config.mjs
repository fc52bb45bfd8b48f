import { globSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
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

const NAME = /[A-Za-z_$][\w$]*/g
const namesIn = (text) => text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*/gm, '').match(NAME) ?? []
const read = (pattern) => Promise.all(globSync(pattern).map((path) => readFile(path, 'utf8')))

/** Whose properties are somebody else's too: an application's, a server's, a transport's of one's own, a dependency's. */
const PUBLIC = [
  'dist/{index,core,explain,types,types/*,settings,errors,protocol/*,policy/position,delivery/reader,transports/http}.d.ts',
  'node_modules/{eventsource-parser,idb-keyval}/dist/*.d.ts'
]
/** The same of the elements. They are no reason to keep a name in the client alone. */
const PUBLIC_OF_ELEMENTS = 'dist/{element,element/{base,progress,list,types,words,configuration}}.d.ts'
/** What is kept in IndexedDB, where another version reads it; and the global. */
const KEPT = ['transport', 'latencyMs', 'at', 'records', 'shortLives', 'demotedUntil', 'Jobtail']
/** The platform, with the members of options (`{ capture: true }`) that a list of the DOM's properties has not. */
const PLATFORM = 'node_modules/@typescript/typescript-*/lib/lib.{dom,es}*.d.ts'

/** The names of properties that may be shortened: they stand in no public type, are nothing of the platform's, and are in no string. */
async function shortenedIn(tree, also) {
  const platform = await read(PLATFORM)
  if (platform.length === 0) throw new Error(`there is no ${PLATFORM}`)
  const kept = new Set(KEPT)
  for (const text of platform) for (const [, name] of text.matchAll(/^ +(?:readonly |get |set )*([\w$]+)\??[:(<]/gm)) kept.add(name)
  for (const name of namesIn((await read([...PUBLIC, ...also])).join('\n'))) kept.add(name)
  const used = new Set()
  const visit = (node) => {
    if (node.type === 'Property' && !node.computed) used.add(node.key.name)
    if (node.type === 'MemberExpression' && !node.computed) used.add(node.property.name)
    const text = node.type === 'TemplateElement' ? node.value.cooked : node.type === 'Literal' ? node.value : undefined
    if (typeof text === 'string') for (const name of namesIn(text)) kept.add(name)
    for (const child of Object.values(node).flat()) if (child?.type) visit(child)
  }
  visit(tree)
  return [...used].filter((name) => name !== undefined && !kept.has(name))
}

/** Minifies a whole, the names of its internal properties included. `isPublic`: whose names are public, beside the client's; false: no name is shortened. */
const minify = (isPublic = []) => ({
  name: 'minify',
  async renderChunk(code, chunk, options, meta) {
    const names = isPublic ? await shortenedIn(this.parse(code), isPublic) : []
    const { renderChunk } = terser({
      ecma: 2022,
      toplevel: true,
      compress: { passes: 5, keep_fargs: false, unsafe_arrows: true, pure_getters: true, lhs_constants: false },
      mangle: { properties: names.length > 0 && { regex: new RegExp(`^(${names.join('|').replaceAll('$', '\\$')})$`), keep_quoted: 'strict' } },
      format: { comments: /^!/ }
    })
    return renderChunk.call(this, code, chunk, options, meta)
  }
})

const MODULE = 'jobtail'
const ENTRIES = ['index', 'core'].map((name) => resolve(`dist/${name}.js`))

/** Both entries as one module, in which an internal name means the same everywhere; each is left as a list of what it exports. A page's build still leaves out what it doesn't use. */
const entries = () => ({
  name: 'entries',
  resolveId: (id) => (id === MODULE ? id : undefined),
  load: (id) => (id === MODULE ? `export * from '${ENTRIES[0]}'\nexport { createClient as createCoreClient, ndjson } from '${ENTRIES[1]}'` : undefined),
  async writeBundle() {
    for (const entry of ENTRIES) {
      const names = this.getModuleInfo(entry).exports.map((name) => (entry === ENTRIES[1] && name === 'createClient' ? `createCoreClient as ${name}` : name))
      await writeFile(entry, `export { ${names.join(', ')} } from './jobtail.js'\n`)
      await rm(`${entry}.map`, { force: true })
    }
  }
})

/** Takes the white space out of the style sheets of the elements and of the panel. Nothing else stands in their modules that a source map should find. */
const shrinkStyles = () => ({
  name: 'shrink-styles',
  transform(code, id) {
    if (!/\/(element\/style|devtools\/styles)\.js$/.test(id)) return undefined
    const styles = (css) =>
      css
        .replace(/\s+/g, ' ')
        .replace(/ ?([{};:,>]) ?/g, '$1')
        .replaceAll(';}', '}')
    return { code: code.replace(/(?<=`)[^`]{99,}(?=`)/g, (css) => styles(css).trim()), map: null }
  }
})

/** A module that is nothing but this code. */
const virtual = (name, code) => ({ name: 'virtual', resolveId: (id) => (id === name ? id : undefined), load: (id) => (id === name ? code : undefined) })

/** Modules of which the client's own has all that the backends need. */
const SHARED = ['errors', 'transports/http'].map((name) => resolve(`dist/${name}.js`))

/** Packages that a page which uses Connect has itself. */
const PEERS = /^@(connectrpc|bufbuild)\//

const onwarn = (warning) => {
  throw new Error(warning.message)
}

/**
 * A script that adds what a module exports to the global `Jobtail`, in whatever order such scripts come. Where it `usesClient`, it takes the client's module
 * from the global: it has to come after the client's script.
 */
const script = (input, file, banner, { code, isPublic, usesClient = false } = {}) => ({
  input,
  external: (id) => usesClient && id === ENTRIES[0],
  output: {
    file,
    banner,
    format: 'iife',
    name: 'Jobtail',
    extend: true,
    globals: { [ENTRIES[0]]: 'Jobtail' },
    exports: 'named',
    sourcemap: true,
    generatedCode: { preset: 'es2015', symbols: false }
  },
  plugins: [...(code === undefined ? [] : [virtual(input, code)]), nodeResolve({ browser: true }), withSourceMaps(), shrinkStyles(), minify(isPublic)],
  onwarn
})

const BANNER = '/*! Jobtail, MIT. Contains eventsource-parser (MIT) and idb-keyval (Apache-2.0), see THIRD-PARTY-NOTICES. */'
const from = (entry) => `'${resolve(`dist/${entry}.js`)}'`

export default [
  script('dist/index.js', 'dist/jobtail.min.js', BANNER),
  script('jobtail-element', 'dist/jobtail-element.min.js', BANNER, {
    code: `export * from ${from('index')}\nexport * from ${from('element')}`,
    isPublic: [PUBLIC_OF_ELEMENTS]
  }),
  script('dist/explain.js', 'dist/jobtail-explain.min.js', '/*! Jobtail, MIT. */'),
  // `Jobtail.backends` is where the element finds them by name. Their options have names that the client's declarations do not.
  script('jobtail-backends', 'dist/jobtail-backends.min.js', BANNER, {
    code: `export * from ${from('backends')}\nexport * as backends from ${from('backends')}`,
    isPublic: false
  }),
  script('dist/devtools.js', 'dist/jobtail-devtools.min.js', '/*! Jobtail, MIT. */', { isPublic: ['dist/devtools.d.ts'], usesClient: true }),
  {
    input: 'dist/backends.js',
    // What a page has of the client is not loaded once more.
    external: (id) => id === 'eventsource-parser' || SHARED.includes(id),
    output: { file: 'dist/backends.js', format: 'es', sourcemap: true, paths: (id) => (SHARED.includes(id) ? './jobtail.js' : id) },
    plugins: [withSourceMaps()],
    onwarn
  },
  {
    input: 'dist/element.js',
    external: (id) => id === resolve('dist/index.js'),
    output: { file: 'dist/element.js', format: 'es', sourcemap: true, paths: () => './index.js' },
    plugins: [withSourceMaps(), shrinkStyles(), minify([PUBLIC_OF_ELEMENTS])],
    onwarn
  },
  {
    input: 'dist/devtools.js',
    external: (id) => id === resolve('dist/index.js'),
    output: { file: 'dist/devtools.js', format: 'es', sourcemap: true, paths: () => './index.js' },
    plugins: [withSourceMaps(), shrinkStyles(), minify(['dist/devtools.d.ts'])],
    onwarn
  },
  {
    input: 'dist/connect.js',
    external: (id) => PEERS.test(id) || SHARED.includes(id),
    output: { file: 'dist/connect.js', format: 'es', sourcemap: true, paths: (id) => (SHARED.includes(id) ? './jobtail.js' : id) },
    plugins: [withSourceMaps()],
    onwarn
  },
  // Last, since it takes the place of what the others read.
  {
    input: MODULE,
    external: ['eventsource-parser', 'idb-keyval'],
    output: { file: 'dist/jobtail.js', format: 'es', sourcemap: true },
    plugins: [entries(), withSourceMaps(), minify()],
    onwarn
  }
]
