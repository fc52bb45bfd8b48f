/** The fenced code blocks of a Markdown document, with what the HTML comments right before them say of them. */

/** A line as a program gets it, and where it stands in the document. */
export interface Line {
  text: string
  line: number
}

export interface Block {
  /** Relative to the repository's root. */
  document: string
  /** Of the opening fence, from 1. */
  line: number
  language: string
  code: Line[]
  marks: Marks
}

/** What the comments say, by their word. */
export interface Marks {
  /** Declarations of the user's own code that the block uses. */
  given: Line[]
  /** Goes on from the checked block before it. */
  continues: boolean
  node: boolean
  /** The name of the runner that runs it. */
  run?: string
  /** Why it isn't checked. */
  unchecked?: string
  /** The program that checks it. */
  check?: string
  /** The entry of the package whose exports the block declares. */
  declarations?: string
}

export interface Problem {
  document: string
  line: number
  message: string
}

/** Languages that are type-checked. */
export const CHECKED: readonly string[] = ['ts', 'tsx', 'js', 'jsx', 'html', 'vue', 'svelte']
/** Languages that are shown as they are; `json` is parsed. A language in neither list is an error: a typo would leave its block unchecked. */
const SHOWN = ['', 'text', 'sh', 'json', 'nginx', 'haproxy', 'caddy', 'apache', 'python', 'go', 'php', 'ruby', 'yaml', 'toml', 'http', 'diff', 'docker', 'css']
const WORDS = { given: 'needed', continues: 'none', node: 'none', run: 'needed', unchecked: 'needed', check: 'needed', declarations: 'optional' } as const
const OPENING = /^([ \t]*)(`{3,}|~{3,})[ \t]*([\w-]*)/
const MARK = /^([\w-]+)[ \t]*(?::(.*))?$/s

interface Comment extends Line {
  word: string
  value: string | undefined
}

/** All blocks of a document, and what is wrong with the comments on them. */
export function blocksOf(document: string, text: string): { blocks: Block[]; problems: Problem[] } {
  const lines = text.split(/\r?\n/)
  const blocks: Block[] = []
  const problems: Problem[] = []
  const report = (line: number, message: string): unknown => problems.push({ document, line, message })
  let comments: Comment[] = []
  for (let index = 0; index < lines.length; index++) {
    const comment = commentAt(lines, index)
    if (comment) {
      comments.push(comment)
      index += comment.text.split('\n').length - 1
      continue
    }
    const [opening, indent = '', fence = '', language = ''] = OPENING.exec(lines[index] ?? '') ?? []
    if (opening === undefined) {
      for (const { word, line } of comments) if (word in WORDS) report(line, `<!-- ${word} --> has no code block on the line after it`)
      comments = []
      continue
    }
    const end = lines.findIndex((each, at) => at > index && each.trim().startsWith(fence) && /^[`~]+$/.test(each.trim()))
    if (end === -1) {
      report(index + 1, 'the code block is not closed')
      break
    }
    const code = lines
      .slice(index + 1, end)
      .map((each, at) => ({ text: each.startsWith(indent) ? each.slice(indent.length) : each.trimStart(), line: index + 2 + at }))
    const block: Block = { document, line: index + 1, language, code, marks: marksOf(comments, report) }
    for (const message of objections(block, blocks)) report(block.line, message)
    blocks.push(block)
    comments = []
    index = end
  }
  return { blocks, problems }
}

/** A comment that begins its line and ends another, or the same. */
function commentAt(lines: readonly string[], index: number): Comment | undefined {
  if (!lines[index]?.trimStart().startsWith('<!--')) return undefined
  const end = lines.findIndex((each, at) => at >= index && each.trimEnd().endsWith('-->'))
  if (end === -1) return undefined
  const text = lines.slice(index, end + 1).join('\n')
  const inside = text.trim().slice('<!--'.length, -'-->'.length).trim()
  const [, word = inside, value] = MARK.exec(inside) ?? []
  return { text, line: index + 1, word, value: value?.trim() }
}

function marksOf(comments: readonly Comment[], report: (line: number, message: string) => unknown): Marks {
  const marks: Marks = { given: [], continues: false, node: false }
  for (const { word, value, text, line } of comments) {
    if (!(word in WORDS)) {
      report(line, `"${word}" is no comment for a code block: ${Object.keys(WORDS).join(', ')} are`)
      continue
    }
    const known = word as keyof typeof WORDS // as: `in` does not narrow a string
    const takes = WORDS[known]
    if (takes === 'none' && value !== undefined) report(line, `<!-- ${word} --> takes nothing after it, not "${value}"`)
    else if (takes === 'needed' && !value) report(line, `<!-- ${word}: … --> needs something after the colon`)
    else if (known === 'given') marks.given.push(...linesOf(text, line))
    else if (known === 'continues' || known === 'node') marks[known] = true
    else marks[known] = value ?? 'jobtail'
  }
  return marks
}

/** The lines of a `given`, each at the place that it has in the document. */
const linesOf = (comment: string, line: number): Line[] =>
  comment.split('\n').map((text, at) => ({ text: text.replace(/^\s*<!--\s*given\s*:/, '').replace(/-->\s*$/, ''), line: line + at }))

/** What a block's comments can't say of it. */
function objections({ language, marks }: Block, before: readonly Block[]): string[] {
  const isChecked = CHECKED.includes(language)
  const found: string[] = []
  if (!isChecked && !SHOWN.includes(language)) found.push(`the language "${language}" is not known: ${[...CHECKED, ...SHOWN.slice(1)].join(', ')} are`)
  if (!isChecked && (marks.given.length > 0 || marks.continues || marks.node || marks.declarations || marks.unchecked))
    found.push(`nothing type-checks the language "${language}": leave out what tells the compiler about it`)
  if (isChecked && marks.check) found.push(`the compiler checks the language "${language}", not ${marks.check}`)
  if (marks.continues && !before.some((each) => isCompiled(each))) found.push('<!-- continues --> has no checked block before it in this document')
  return found
}

/** Whether the compiler reads a block as a program of its own. */
export const isCompiled = ({ language, marks }: Block): boolean =>
  CHECKED.includes(language) && marks.unchecked === undefined && marks.declarations === undefined
