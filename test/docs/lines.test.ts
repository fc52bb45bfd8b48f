import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const MAX_LENGTH = 160

const documents = ['README.md', 'PROTOCOL.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root })].filter(
  (path) => !/(^|\/)(node_modules|reference|\.vitepress)\//.test(path)
)

/** The lines of prose, each with its number: no code, tables, HTML, front matter, or definitions of links. */
function proseOf(text: string): [number, string][] {
  const prose: [number, string][] = []
  let fence: string | undefined
  let isFrontMatter = text.startsWith('---\n')
  let isComment = false
  for (const [index, line] of text.split('\n').entries()) {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
    if (isFrontMatter) isFrontMatter = index === 0 || line !== '---'
    else if (fence !== undefined) fence = mark?.startsWith(fence) ? undefined : fence
    else if (mark !== undefined) fence = mark
    else if (isComment || /^\s*<!--/.test(line)) isComment = !line.includes('-->')
    else if (!/^\s*(\||<|\[[^\]]+\]: )/.test(line)) prose.push([index + 1, line])
  }
  return prose
}

test.each(documents)('%s has no line of prose beyond 160 characters', (path) => {
  const prose = proseOf(readFileSync(join(root, path), 'utf8'))
  expect(prose.filter(([, line]) => line.length > MAX_LENGTH).map(([number, line]) => `${path}:${number}: ${line.length} characters`)).toEqual([])
})

test('prose is what is left without code, tables, HTML, front matter and definitions of links', () => {
  const text =
    '---\ntitle: x\n---\none\n```ts\ncode\n```\n| a |\n<p>\n<!-- given: a\nb -->\n  ```\n  code\n  ```\n- two\n[x]: https://example.com\n~~~\n```\n~~~\nthree'
  expect(proseOf(text).map(([, line]) => line)).toEqual(['one', '- two', 'three'])
})
