/** The documents whose code is checked. */

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Block, blocksOf, type Problem } from './blocks.ts'

const root = join(import.meta.dirname, '../..')

/** Relative to the repository's root. What is generated, or the site's own, has no block that anybody wrote. */
export const documents: readonly string[] = ['README.md', ...globSync('docs/**/*.md', { cwd: root, exclude: skip }).sort()]

function skip(path: string): boolean {
  return /(^|\/)(node_modules|\.vitepress|reference)$/.test(path)
}

export const read = (document: string): { blocks: Block[]; problems: Problem[] } => blocksOf(document, readFileSync(join(root, document), 'utf8'))
