import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { slug } from '../../docs/.vitepress/slug.ts'

const root = join(import.meta.dirname, '../..')

/** docs/reference/ is generated; the site's build checks its links. */
const isWritten = (path: string): boolean => !/(^|\/)(node_modules|reference|\.vitepress|\.next)\//.test(path)
const documents = [
  ...['README.md', 'PROTOCOL.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...globSync(['docs/**/*.md', 'examples/**/README.md'], { cwd: root }).filter(isWritten)
]

const withoutCode = (text: string): string =>
  text
    .replace(/^( *)(`{3,}|~{3,}).*\n[\s\S]*?\n\1\2`*~* *$/gm, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, 'code')

/** What a page that includes another file shows. */
const read = (path: string): string =>
  readFileSync(join(root, path), 'utf8').replace(/<!--\s*@include: (.*?)\s*-->/g, (_, file: string) => readFileSync(join(root, dirname(path), file), 'utf8'))

/** The targets of links and pictures: inline, by definition, in HTML, and in the front matter of the home page. */
function linksOf(text: string): string[] {
  const inline = [...withoutCode(text).matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)]
  const defined = [...withoutCode(text).matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)]
  const html = [...withoutCode(text).matchAll(/\s(?:href|src|srcset)="([^"]+)"/g)]
  const frontMatter = [...(/^---\n[\s\S]*?\n---/.exec(text)?.[0] ?? '').matchAll(/^\s+link: (\S+)/gm)]
  return [...inline, ...defined, ...html, ...frontMatter].flatMap(([, target]) => target ?? [])
}

/** The anchors of a document: its headings as GitHub and the site name them, the second of one name with `-1`, and ids in HTML. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  const fenceless = text.replace(/^( *)(`{3,}|~{3,}).*\n[\s\S]*?\n\1\2`*~* *$/gm, '')
  for (const [, heading = ''] of fenceless.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const plain = slug(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, ''))
    let anchor = plain
    for (let copy = 1; anchors.has(anchor); copy += 1) anchor = `${plain}-${copy}`
    anchors.add(anchor)
  }
  for (const [, id] of fenceless.matchAll(/\sid="([^"]+)"/g)) if (id !== undefined) anchors.add(id)
  return anchors
}

/** The file that a link names. On the site a link that begins with `/` names a page of docs/, or a file of docs/public/. */
function fileOf(document: string, path: string): string {
  if (!path.startsWith('/')) return path === '' ? join(root, document) : resolve(root, dirname(document), path)
  return [`docs${path}.md`, `docs${path}`, `docs/public${path}`].map((file) => join(root, file)).find(existsSync) ?? join(root, `docs${path}.md`)
}

/** What is wrong with a link of a document; `undefined` for nothing. */
function wrongWith(document: string, link: string): string | undefined {
  if (/^(https?|mailto):/.test(link)) return URL.canParse(link) ? undefined : 'is no URL'
  const [path = '', anchor] = decodeURI(link).split('#')
  const file = fileOf(document, path)
  if (relative(root, file).startsWith('docs/reference/')) return undefined
  if (!existsSync(file)) return `there is no ${relative(root, file)}`
  if (anchor === undefined || statSync(file).isDirectory() || !file.endsWith('.md')) return undefined
  return anchorsOf(read(relative(root, file))).has(anchor) ? undefined : `${relative(root, file)} has no heading #${anchor}`
}

test.each(documents)('the links of %s lead somewhere', (document) => {
  const wrong = linksOf(readFileSync(join(root, document), 'utf8')).flatMap((link) => {
    const what = wrongWith(document, link)
    return what === undefined ? [] : [`${link}: ${what}`]
  })
  expect(wrong).toEqual([])
})

test('a link to nothing is seen', () => {
  expect(wrongWith('docs/API.md', 'scaling.md')).toBe(undefined)
  expect(wrongWith('docs/API.md', 'no-such.md')).toBe('there is no docs/no-such.md')
  expect(wrongWith('docs/API.md', '../PROTOCOL.md#7-errors')).toBe(undefined)
  expect(wrongWith('docs/API.md', '../PROTOCOL.md#7-no-such')).toBe('PROTOCOL.md has no heading #7-no-such')
  expect(wrongWith('docs/API.md', 'protocol.md#7-errors')).toBe(undefined)
  expect(wrongWith('docs/API.md', 'https://exa mple')).toBe('is no URL')
})

test('links are those of the text, not of code', () => {
  const text = '---\nhero:\n  link: /a\n---\n[b](b.md "B") ![c](<c.png>) `[d](d.md)`\n```md\n[e](e.md)\n```\n<img src="f.png">\n\n[g]: g.md\n'
  expect(linksOf(text).sort()).toEqual(['/a', 'b.md', 'c.png', 'f.png', 'g.md'])
})

test('anchors are those that GitHub gives', () => {
  const anchors = anchorsOf('# 1. The log\n## `jobtail/server`: a *kit*\n## Twice\n## Twice\n```\n# no heading\n```\n## What is a_b — [c](d.md)?\n')
  expect([...anchors]).toEqual(['1-the-log', 'jobtailserver-a-kit', 'twice', 'twice-1', 'what-is-a_b--c'])
})
