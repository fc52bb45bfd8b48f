/** What runs the blocks that say `<!-- run: name -->`. Each name has one block, and the other way round. */

import type { Block } from './blocks.ts'

/** Runs a block, and throws where it doesn't do what the document says. */
export type Runner = (block: Block) => Promise<void>

export const runners: Readonly<Record<string, Runner>> = {}

/** Those that need the packed package: the tests that run them are in test/package/. */
export const packaged: readonly string[] = []
