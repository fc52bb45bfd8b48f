import { existsSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { MarkdownRenderer } from 'vitepress'

const docs = join(import.meta.dirname, '..')
const root = join(docs, '..')

/** Pages of docs/ that show a file from outside it. */
const shown: Record<string, string> = { 'PROTOCOL.md': 'protocol.md' }

/** A link's parts; `undefined` where it doesn't name a file: an anchor of the same page, or another site. */
function target(href: string): { path: string; anchor: string } | undefined {
  const parts = /^([^#?]+)(#.*)?$/.exec(href)
  return parts?.[1] === undefined || /^([a-z][a-z0-9+.-]*:|\/)/i.test(href) ? undefined : { path: parts[1], anchor: parts[2] ?? '' }
}

/** Where a link of a page of docs/ leads on the site: a page, an address of the repository, or nowhere: then the path of the file is given. */
export function resolveLink(page: string, href: string, repository: string | undefined): { href: string } | { path: string } | undefined {
  const found = target(href)
  if (found === undefined) return undefined
  const source = Object.keys(shown).find((path) => shown[path] === page)
  const file = resolve(source === undefined ? join(docs, dirname(page)) : join(root, dirname(source)), decodeURI(found.path))
  if (!relative(docs, file).startsWith('..')) return source === undefined ? undefined : { href: `${relative(docs, file)}${found.anchor}` }
  const path = relative(root, file)
  const own = shown[path]
  if (own !== undefined) return { href: `${relative(dirname(page), own) || own}${found.anchor}` }
  if (!existsSync(file)) return undefined // left as it is: the build then reports a dead link
  if (repository === undefined) return { path: statSync(file).isDirectory() ? `${path}/` : path }
  return { href: `${repository}/${statSync(file).isDirectory() ? 'tree' : 'blob'}/main/${path}${found.anchor}` }
}

/**
 * Links of docs/ to files outside of it are relative, so that they work in the repository. On the site they lead to the repository's address, or, as long as
 * it has none, they are their text with the file's path behind it.
 */
export function linksOutside(md: MarkdownRenderer, repository: string | undefined): void {
  md.core.ruler.push('links-outside', (state) => {
    for (const { children } of state.tokens) {
      if (children === null) continue
      for (const [at, token] of children.entries()) {
        if (token.type !== 'link_open') continue
        const found = resolveLink(state.env.relativePath, token.attrGet('href') ?? '', repository)
        if (found === undefined) continue
        if ('href' in found) token.attrSet('href', found.href)
        else asPath(children, at, found.path)
      }
    }
  })
}

type Tokens = NonNullable<ReturnType<MarkdownRenderer['parse']>[number]['children']>

/** Turns the link that begins at `start` into its text, with the path in parentheses unless the text is the path. */
function asPath(tokens: Tokens, start: number, path: string): void {
  const end = tokens.findIndex((token, index) => index > start && token.type === 'link_close')
  const inside = tokens.slice(start + 1, end)
  const text = inside.map((token) => token.content).join('')
  const [open, close] = [tokens[start], tokens[end]]
  if (open === undefined || close === undefined) return
  const isPath = path.endsWith(text.replace(/\/$/, '')) || path === `${text}/`
  for (const token of [open, close]) Object.assign(token, { type: 'text', tag: '', nesting: 0, attrs: null, content: '' })
  if (isPath && inside.length === 1) Object.assign(inside[0] ?? {}, { type: 'code_inline', tag: 'code', content: path })
  else Object.assign(close, { type: 'html_inline', content: ` (<code>${path}</code>)` })
}
