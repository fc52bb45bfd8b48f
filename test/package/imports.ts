/** Which module may import which: a lower layer never imports a higher one. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Import {
  /** Relative to src/, such as `transports/sse.ts`. */
  from: string
  /** Relative to src/ too, or the name of a package. */
  to: string
}

/** The layers, lowest first. Imports of types follow them too: public types are in `types.ts`, below all that use them. */
const layers = [
  ['async'],
  ['protocol', 'errors'],
  ['types', 'page'],
  ['policy', 'settings', 'credentials', 'diagnostics', 'explain'],
  ['transports', 'memory', 'auth', 'failures', 'state', 'link', 'delivery', 'operations'],
  ['backend', 'hints', 'reduce', 'known-jobs'],
  ['connection'],
  ['pool'],
  ['job-reader', 'loop'],
  ['ending', 'surface'],
  ['subscription'],
  ['jobs'],
  ['client'],
  ['core', 'index', 'backends', 'connect'],
  ['binding'],
  ['react', 'vue', 'svelte', 'solid', 'angular', 'element', 'devtools', 'tanstack', 'rxjs', 'iterators', 'away', 'cli']
]
/** These two import each other's types: an error has the event that it is about, and the parser throws errors. */
const mutual = ['protocol', 'errors']
const browserPackages = ['eventsource-parser', 'idb-keyval']
const serverPackages = ['ws']
const connectPackages = ['@connectrpc/connect', '@bufbuild/protobuf']
/** The messages of the service, which both sides generate from one file. */
const messages = 'connect/jobtail/'
/** Packages that only one entry uses. */
const entryPackages: readonly [folder: string, packages: readonly string[]][] = [
  ['server/bullmq/', ['bullmq']],
  ['server/redis/', ['redis']],
  ['server/connect.ts', connectPackages],
  ['server/connect/', connectPackages],
  ['connect/', connectPackages],
  ['testing/', ['vitest']],
  ['react', ['react']],
  ['vue.ts', ['vue']],
  ['svelte.ts', ['svelte']],
  ['solid.ts', ['solid-js']],
  ['angular.ts', ['@angular/core']]
]
/** Entries beside the client's module, in which internal names are shortened: they know only what `jobtail` exports. */
const standalone = ['binding', 'react', 'vue', 'svelte', 'solid', 'angular', 'element', 'devtools', 'tanstack', 'rxjs', 'iterators', 'away']
const cliPackages = ['ws', 'eventsource-parser', 'undici', 'https-proxy-agent']
const sharedWithServer = ['server', 'protocol', 'errors', 'async']

const src = fileURLToPath(new URL('../../src/', import.meta.url))

/** `transports/sse.ts` belongs to `transports`, `client.ts` to `client`. */
const member = (path: string): string => (path.split('/')[0] ?? '').replace(/\.ts$/, '')
const layer = (path: string): number => layers.findIndex((each) => each.includes(member(path)))
const isPackage = (to: string): boolean => !to.endsWith('.ts')

const within = (packages: readonly string[], to: string): boolean => packages.some((each) => to === each || to.startsWith(`${each}/`))

const isOfConnect = (path: string): boolean => /^server\/connect(\.ts$|\/)/.test(path)

/** Why an import is not allowed; `undefined` where it is. */
export function objection({ from, to }: Pick<Import, 'from' | 'to'>): string | undefined {
  if (isPackage(to) && entryPackages.some(([folder, packages]) => from.startsWith(folder) && within(packages, to))) return undefined
  if (member(from) === 'testing' && to.startsWith('node:')) return undefined
  if (member(from) === 'testing') return ['testing', ...sharedWithServer].includes(member(to)) ? undefined : 'testing knows the kit and the protocol'
  if (member(from) === 'server') {
    if (to.startsWith('server/bullmq/') && !from.startsWith('server/bullmq/')) return 'the kit works without BullMQ'
    if (isOfConnect(from) && to.startsWith(messages)) return undefined
    if (isOfConnect(to) && !isOfConnect(from)) return 'the kit works without Connect'
    if (to.startsWith('server/redis/') && !from.startsWith('server/redis/')) return 'the kit works without Redis'
    if (isPackage(to)) return to.startsWith('node:') || within(serverPackages, to) ? undefined : 'not a dependency of the server'
    return sharedWithServer.includes(member(to)) ? undefined : 'the server shares only protocol, errors and async: its consumers have no DOM types'
  }
  if (layer(from) === -1) return `${member(from)} has no layer yet: give it one here and in ARCHITECTURE.md`
  if (member(from) === 'cli' && isPackage(to)) return to.startsWith('node:') || within(cliPackages, to) ? undefined : 'not a dependency of the command line'
  // `explain` is a module of its own, without a name of the client's that is shortened.
  if (member(from) === 'devtools' && member(to) === 'explain') return undefined
  if (standalone.includes(member(from)) && member(to) !== member(from))
    return ['index', 'binding'].includes(member(to)) ? undefined : 'an entry of its own knows only what jobtail exports'
  if (isPackage(to)) return within(browserPackages, to) ? undefined : "not for a browser, or not a dependency of the client's"
  if (member(from) === 'async' && member(to) !== 'async') return 'async is generic'
  if (member(from) === member(to)) return undefined
  if (layer(to) === -1 || layer(to) > layer(from)) return 'the wrong way up'
  return layer(to) < layer(from) || mutual.includes(member(to)) ? undefined : 'siblings'
}

/** The imports in a module's text, without those in comments. */
export function importsOf(from: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const statements = code.matchAll(/^\s*(?:import|export)\s+(?:type\s)?(?:[^'";=()]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'/gm)
  return [...statements].map(([, named, dynamic]) => {
    const target = named ?? dynamic ?? ''
    return { from, to: target.startsWith('.') ? posix.normalize(posix.join(posix.dirname(from), target)) : target }
  })
}

/** Every import in src/. */
export const allImports = (): Import[] =>
  readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => importsOf(path, readFileSync(join(src, path), 'utf8')))

/** A path of imports from a module back to itself, imports of types included; `undefined` where there is none. */
export function cycle(imports: readonly Import[]): string[] | undefined {
  const targets = new Map<string, string[]>()
  for (const { from, to } of imports) if (!isPackage(to)) targets.set(from, [...(targets.get(from) ?? []), to])
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const to of targets.get(path) ?? []) {
      const found = visit(to, [...way, path])
      if (found) return found
    }
    done.add(path)
    return undefined
  }
  for (const path of targets.keys()) {
    const found = visit(path, [])
    if (found) return found
  }
  return undefined
}
