/** Minifying shortens names of properties. Those of public types have to stay: a page reads and writes them. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseAst } from 'rollup/parseAst'
import { expect, test } from 'vitest'
import { root } from './tarball.ts'

const dist = join(root, 'dist')
const read = (file: string): string => readFileSync(join(dist, file), 'utf8')

/** The names in every declaration that a page's entries lead to. */
function publicNames(): Set<string> {
  const files = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()'(\.[^']+)'/g))
      visit(resolve(dirname(file), path.replace(/\.[jt]s$/, '.d.ts')))
  }
  for (const entry of ['index', 'core', 'explain', 'element']) visit(join(dist, `${entry}.d.ts`))
  const texts = [...files].map((file) => readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, ''))
  return new Set(texts.join('\n').match(/[A-Za-z_$][\w$]*/g))
}

/** The names of properties that code reads, writes or makes. */
function propertiesIn(code: string): Set<string> {
  const found = new Set<string>()
  function visit(node: object): void {
    const { type, computed, key, property } = node as { type: string; computed?: boolean; key?: { name: string }; property?: { name: string } } // as: an ESTree node
    const name = computed ? undefined : type === 'MemberExpression' ? property?.name : key?.name
    if (name !== undefined) found.add(name)
    for (const child of Object.values(node).flat()) if (child?.type) visit(child)
  }
  visit(parseAst(code))
  return found
}

/** The same in the modules that a bundle was made of, as they were before. Entries are left out: the build has put lists of exports in their place. */
function propertiesBefore(bundle: string): Set<string> {
  const sources: string[] = JSON.parse(read(`${bundle}.map`)).sources
  const modules = sources.flatMap((source) => /^\.\.\/src\/(.+)\.ts$/.exec(source)?.[1] ?? []).filter((name) => name !== 'index' && name !== 'core')
  expect(modules.length).toBeGreaterThan(0)
  return new Set(modules.flatMap((name) => (existsSync(join(dist, `${name}.js`)) ? [...propertiesIn(read(`${name}.js`))] : [])))
}

test.each([
  ['jobtail.min.js', 100],
  ['jobtail.js', 100],
  ['jobtail-element.min.js', 100],
  ['element.js', 20],
  ['jobtail-explain.min.js', 20],
  ['jobtail-devtools.min.js', 40]
])('%s keeps the names of public properties', (bundle, atLeast) => {
  const names = publicNames()
  const used = [...propertiesBefore(bundle)].filter((name) => names.has(name))
  expect(used.length).toBeGreaterThan(atLeast)
  const kept = propertiesIn(read(bundle))
  expect(used.filter((name) => !kept.has(name))).toEqual([])
})
