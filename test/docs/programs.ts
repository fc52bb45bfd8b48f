/** Blocks of documents as modules that the compiler can read, each in a folder of its own. */

import type { Block, Line } from './blocks.ts'
import { isCompiled } from './blocks.ts'
import { declarationsProgram } from './declarations.ts'

/** What a program's globals are, and how strictly it is checked: JavaScript is, as nobody has written types into it, less so. */
export type Kind = 'dom' | 'node' | 'dom-js' | 'node-js' | 'declarations'

export interface Program {
  kind: Kind
  document: string
  /** The first is the block itself. */
  files: { path: string; lines: Line[] }[]
}

/** What a block imports where it is written for Node. Others that are say so with a comment. */
const NODE_ONLY =
  /\bfrom ['"](?:node:[^'"]*|jobtail\/(?:server|testing)[^'"]*|express|fastify|hono|@hono\/node-server|bullmq|i?oredis|redis|ws|vite|vitest|vitest\/config|next|next\/(?:server|headers))['"]/

/** Files of components, whose code is in script elements. */
const COMPONENTS = ['vue', 'svelte']

/** The programs of one document's blocks, in order. Blocks that are not compiled have none. */
export function programsOf(blocks: readonly Block[]): Program[] {
  const programs: Program[] = []
  let before: { lines: Line[]; isNode: boolean } = { lines: [], isNode: false }
  for (const block of blocks) {
    if (block.marks.declarations !== undefined && block.marks.unchecked === undefined) programs.push(declarationsProgram(block))
    if (!isCompiled(block)) continue
    const { continues, node } = block.marks
    const own = [...block.marks.given, ...scripts(block)]
    const lines = continues ? [...before.lines, ...own] : own
    const isNode = node || (continues && before.isNode) || lines.some(({ text }) => NODE_ONLY.test(text))
    before = { lines, isNode }
    programs.push(program(block, lines, isNode))
  }
  return programs
}

function program({ document, language, code }: Block, lines: readonly Line[], isNode: boolean): Program {
  const { rest, modules } = takeModules(lines)
  const isScript = language === 'html'
  const isTyped = language === 'ts' || language === 'tsx' || (COMPONENTS.includes(language) && code.some(({ text }) => /<script[^>]*\blang="ts"/.test(text)))
  const end = lines.at(-1)?.line ?? 0
  return {
    kind: `${isNode ? 'node' : 'dom'}${isTyped ? '' : '-js'}`,
    document,
    files: [
      {
        path: language.endsWith('x') ? 'block.tsx' : 'block.ts',
        lines: [...(isScript ? [scriptTag(lines)] : []), ...rest, { text: 'export {}', line: end }]
      },
      ...modules
    ]
  }
}

/** The global of the script tag, with what the second file adds to it. */
function scriptTag(lines: readonly Line[]): Line {
  const explains = lines.some(({ text }) => text.includes('jobtail-explain.min.js'))
  const text = `declare const Jobtail: typeof import('jobtail')${explains ? " & Pick<typeof import('jobtail/explain'), 'explain'>" : ''}`
  return { text, line: lines[0]?.line ?? 0 }
}

/** A block's code; of a page or a component what stands in its script elements. All else is blanked, so that lines and columns stay. */
function scripts({ language, code }: Block): Line[] {
  if (language !== 'html' && !COMPONENTS.includes(language)) return code
  const text = code.map((each) => each.text).join('\n')
  const blank = (markup: string): string => markup.replace(/[^\n]/g, ' ')
  let kept = ''
  let end = 0
  for (const { 0: element, 1: open = '', 2: attributes = '', 3: body = '', index } of text.matchAll(/(<script\b([^>]*)>)(.*?)<\/script>/gs)) {
    const isCode = !/\btype="(?!module|text\/javascript)/.test(attributes)
    kept += blank(text.slice(end, index) + open) + (isCode ? body : blank(body)) + blank('</script>')
    end = index + element.length
  }
  kept += blank(text.slice(end))
  // A module of a CDN is the package's own.
  const local = kept.replace(/(['"])https:\/\/[^'"]*\/jobtail(?:@[^'"/]*)?(?:\/\+esm)?\1/g, "'jobtail'")
  return local.split('\n').map((each, at) => ({ text: each, line: code[at]?.line ?? 0 }))
}

/** `declare module './jobs' { … }`: modules of the user's, which a module can't declare itself. Each becomes a file. */
function takeModules(lines: readonly Line[]): { rest: Line[]; modules: Program['files'] } {
  const rest: Line[] = []
  const modules: Program['files'] = []
  let depth = 0
  for (const { text, line } of lines) {
    const [opening, name = ''] = (depth === 0 && /^\s*declare module ['"](.+?)['"]\s*\{/.exec(text)) || []
    if (depth === 0 && opening === undefined) {
      rest.push({ text, line })
      continue
    }
    if (opening !== undefined) modules.push({ path: pathOf(name), lines: [{ text: 'export {}', line }] })
    const start = opening?.length ?? 0
    if (opening !== undefined) depth = 1
    let at = start
    for (; at < text.length && depth > 0; at++) depth += text[at] === '{' ? 1 : text[at] === '}' ? -1 : 0
    modules.at(-1)?.lines.push({ text: text.slice(start, depth === 0 ? at - 1 : at), line })
    rest.push({ text: text.slice(at), line })
  }
  return { rest, modules }
}

/** Where the compiler looks for a module's declarations: beside the block, or, of a package, among those that are installed for it. */
const pathOf = (name: string): string => (name.startsWith('.') ? `${name.replace(/\.[jt]sx?$/, '')}.d.ts` : `node_modules/${name}/index.d.ts`)
