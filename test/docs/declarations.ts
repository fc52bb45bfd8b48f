/** Blocks that show what the package exports, as interfaces and functions: held against what it does export. */

import type { Block, Line } from './blocks.ts'
import type { Program } from './programs.ts'

const DECLARED = /^(?:export )?(?:declare )?(?:abstract )?(interface|type|class|function|const|enum) (\w+)(<.*)?/

/** Each has the members that the other has, optional ones too, and what the source exports can be used as what is shown: that may be wider, and so simpler. */
const COMPARE = [
  'type Lacks<A, B> = [Exclude<keyof A, keyof B>] extends [never] ? false : { lacks: Exclude<keyof A, keyof B> }',
  'type Same<Shown, Source> = Lacks<Shown, Source> extends false ? Lacks<Source, Shown> extends false ? [Source] extends [Shown] ? true',
  "  : { 'the source has': Source } : { 'the document': Lacks<Source, Shown> } : { 'the source': Lacks<Shown, Source> }"
]

/** A program that does not compile where a name of the block is not exported, or is something else than is shown. */
export function declarationsProgram({ document, line, code, marks }: Block): Program {
  const at = (text: string, where = line): Line => ({ text, line: where })
  const entry = marks.declarations ?? 'jobtail'
  const comparisons = code.flatMap(({ text, line: where }) => {
    const [, keyword, name, parameters = ''] = DECLARED.exec(text) ?? []
    if (!keyword) return []
    const isValue = keyword === 'function' || keyword === 'const'
    const [shown, source] = ['Shown', 'Source'].map((space) => `${isValue ? 'typeof ' : ''}${space}.${name}${argumentsFor(parameters)}`)
    return [at(`export const same_${name}: Same<${shown}, ${source}> = true`, where)]
  })
  const lines = [
    at(`import type * as Source from '${entry}'`),
    ...marks.given,
    at('declare namespace Shown {'),
    ...code,
    at('}'),
    ...COMPARE.map((text) => at(text)),
    ...comparisons
  ]
  return { kind: 'declarations', document, files: [{ path: 'block.ts', lines }] }
}

/** Type arguments for the parameters that follow a declaration's name. */
function argumentsFor(text: string): string {
  if (!text.startsWith('<')) return ''
  let depth = 0
  let count = 1
  for (const [at, character] of [...text].entries()) {
    if ('<{('.includes(character)) depth += 1
    if ('}>)'.includes(character) && text.slice(at - 1, at + 1) !== '=>') depth -= 1
    if (character === ',' && depth === 1) count += 1
    if (depth === 0) break
  }
  return `<${Array(count).fill('{}').join(', ')}>`
}
