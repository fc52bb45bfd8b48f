/** Has the repository's compiler read the programs, all of a kind in one go, and says what it said by document and line. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Problem } from './blocks.ts'
import type { Kind, Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const ENTRIES = {
  jobtail: 'index',
  'jobtail/angular': 'angular',
  'jobtail/away': 'away',
  'jobtail/backends': 'backends',
  'jobtail/connect': 'connect',
  'jobtail/core': 'core',
  'jobtail/devtools': 'devtools',
  'jobtail/element': 'element',
  'jobtail/explain': 'explain',
  'jobtail/iterators': 'iterators',
  'jobtail/react': 'react',
  'jobtail/rxjs': 'rxjs',
  'jobtail/server': 'server/index',
  'jobtail/server/bullmq': 'server/bullmq/index',
  'jobtail/server/connect': 'server/connect',
  'jobtail/server/fetch': 'server/fetch',
  'jobtail/server/redis': 'server/redis/index',
  'jobtail/solid': 'solid',
  'jobtail/svelte': 'svelte',
  'jobtail/tanstack': 'tanstack',
  'jobtail/testing': 'testing/index',
  'jobtail/vue': 'vue'
}
/** As a bundler's project is set up: what a block leaves out there, it may leave out here. The package's own source is part of each program. */
const COMMON = {
  target: 'ES2024',
  module: 'ESNext',
  moduleResolution: 'bundler',
  jsx: 'react-jsx',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  skipLibCheck: true,
  noEmit: true,
  paths: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, [join(root, 'src', `${file}.ts`)]]))
}
const DOM = { lib: ['ES2024', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable', 'ESNext.Disposable'], types: ['vite/client'] }
const NODE = { lib: ['ES2024', 'ESNext.Disposable'], types: ['node'] }
const LOOSE = { strict: false, exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false }
const OPTIONS: Readonly<Record<Kind, object>> = {
  dom: DOM,
  node: NODE,
  'dom-js': { ...DOM, ...LOOSE },
  'node-js': { ...NODE, ...LOOSE },
  // What a document shows leaves out some types of parameters, and says `?` for what may be undefined as well.
  declarations: { ...DOM, types: ['node'], noImplicitAny: false, exactOptionalPropertyTypes: false }
}

/** What the compiler says to these programs. The folder that they are in is removed. */
export async function compile(programs: readonly Program[]): Promise<Problem[]> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'jobtail-docs-')))
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    const kinds = [...new Set(programs.map(({ kind }) => kind))]
    const problems: Problem[] = []
    // One after the other: each uses all processors.
    for (const kind of kinds)
      problems.push(
        ...(await compileKind(
          kind,
          join(folder, kind),
          programs.filter((each) => each.kind === kind)
        ))
      )
    return withoutRepeats(problems)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function compileKind(kind: Kind, folder: string, programs: readonly Program[]): Promise<Problem[]> {
  const written = new Map<string, { document: string; lines: Program['files'][number]['lines'] }>()
  for (const [index, { document, files }] of programs.entries()) {
    for (const { path, lines } of files) {
      const file = join(folder, `${index}`, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, lines.map(({ text }) => text).join('\n'))
      written.set(file, { document, lines })
    }
  }
  const files = [...written.keys()]
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...COMMON, ...OPTIONS[kind] }, files }))
  return messagesOf(await tsc(folder)).flatMap(({ file, line, message }) => {
    const { document, lines } = written.get(join(folder, file)) ?? {}
    // With other globals and options than its own, the source has errors that are none.
    if (document === undefined && join(folder, file).startsWith(join(root, 'src/'))) return []
    return [{ document: document ?? file, line: lines?.[line - 1]?.line ?? line, message }]
  })
}

async function tsc(folder: string): Promise<string> {
  const command = join(root, 'node_modules/.bin/tsc')
  try {
    const { stdout } = await promisify(execFile)(command, ['-p', folder, '--pretty', 'false'], { cwd: folder, maxBuffer: 2 ** 26 })
    return stdout
  } catch (error) {
    const { stdout } = error as { stdout?: string } // as: what execFile rejects with has it
    if (!stdout) throw error
    return stdout
  }
}

/** `path(line,column): error TS1: message`, whose further lines are indented; what is said of no file is kept as well. */
function messagesOf(output: string): { file: string; line: number; message: string }[] {
  const messages: { file: string; line: number; message: string }[] = []
  for (const text of output.split('\n')) {
    const [, file = 'tsconfig.json', line = 0, message = text] = /^(.+?)\((\d+),\d+\): error (TS.*)$/.exec(text) ?? []
    const last = messages.at(-1)
    if (last && text.startsWith(' ')) last.message += `\n${text}`
    else if (text) messages.push({ file, line: Number(line), message })
  }
  return messages
}

/** A block that others continue is in several programs. */
const withoutRepeats = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((each) => [`${each.document}:${each.line}: ${each.message}`, each])).values()
]
