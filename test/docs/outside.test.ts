import { expect, test } from 'vitest'
import { resolveLink } from '../../docs/.vitepress/outside.ts'

const repository = 'https://git.example/jobtail'

test.each<[string, string, string, ReturnType<typeof resolveLink>]>([
  ['a page', 'API.md', 'scaling.md#can', undefined],
  ['an anchor', 'API.md', '#work', undefined],
  ['another site', 'API.md', 'https://example.com/README.md', undefined],
  ['a page of the site by its path', 'index.md', '/API', undefined],
  ['what a page shows', 'API.md', '../PROTOCOL.md#7-errors', { href: 'protocol.md#7-errors' }],
  ['the same from a folder', 'guides/errors.md', '../../PROTOCOL.md', { href: '../protocol.md' }],
  ['a file', 'API.md', '../src/types.ts', { href: `${repository}/blob/main/src/types.ts` }],
  ['a folder', 'guides/deploying.md', '../../examples/python/', { href: `${repository}/tree/main/examples/python` }],
  ['an anchor of a file', 'API.md', '../CONTRIBUTING.md#commits', { href: `${repository}/blob/main/CONTRIBUTING.md#commits` }],
  ['what shows a file', 'protocol.md', 'src/types.ts', { href: `${repository}/blob/main/src/types.ts` }],
  ['what shows a file', 'protocol.md', 'docs/API.md#work', { href: 'API.md#work' }],
  ['what is not there', 'API.md', '../no-such.md', undefined]
])('%s: %s links to %s', (_, page, href, expected) => {
  expect(resolveLink(page, href, repository)).toEqual(expected)
})

test('without an address of the repository a link is the path of what it names', () => {
  expect(resolveLink('API.md', '../src/types.ts', undefined)).toEqual({ path: 'src/types.ts' })
  expect(resolveLink('guides/deploying.md', '../../examples/python/', undefined)).toEqual({ path: 'examples/python/' })
})
