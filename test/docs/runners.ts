/** What runs the blocks that say `<!-- run: name -->`. Each name has one block, and the other way round. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { transformWithOxc } from 'vite'
import { expect } from 'vitest'
import type { Block } from './blocks.ts'
import { component } from './components.ts'
import { guidePrograms } from './guide-programs.ts'

const root = join(import.meta.dirname, '../..')

/** Runs a block, and throws where it doesn't do what the document says. */
export type Runner = (block: Block) => Promise<void>

/** Those that need the packed package: the tests that run them are test/package/quick-start.test.ts and element.test.ts. */
export const packaged: readonly string[] = ['quick-start-server', 'quick-start-page', 'quick-start-proxy', 'script-tag', 'element-page']

/** Those that need a browser: the tests that run them are e2e/guides.e2e.ts, e2e/react.e2e.ts, e2e/devtools.e2e.ts and, for `away`, e2e/away.e2e.ts. */
export const inBrowsers: readonly string[] = [
  'start-server',
  'start-proxy',
  'start-html',
  'start-page',
  'testing-playwright',
  'react-shortest',
  'react-start',
  'away',
  'devtools-mount'
]

export const runners: Readonly<Record<string, Runner>> = {
  ...guidePrograms,
  'vue-component': component('vue'),
  'svelte-component': component('svelte'),
  'solid-component': component('solid'),
  'angular-component': component('angular'),
  async 'react-on-a-server'(block) {
    const component = await transformWithOxc(block.code.map(({ text }) => text).join('\n'), 'block.tsx', { jsx: { runtime: 'automatic' } })
    const { stdout, stderr } = await inNode(`${component.code}
      import { renderToString } from 'react-dom/server'
      import { createElement } from 'react'
      console.log(renderToString(createElement(JobProgress, { id: '42' })))`)
    expect({ stdout, stderr }).toEqual({ stdout: '<progress></progress>\n', stderr: '' })
  }
}

/** Runs a module as in a project that has `jobtail`, here its source. It has to end by itself. */
const inNode = (code: string): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      code.replace(/(['"])jobtail(\/[\w/]+)?\1/g, (_, _quote, entry = '/index') => `'${pathToFileURL(join(root, `src${entry}.ts`))}'`)
    ],
    {
      cwd: root,
      timeout: 100_000,
      env: { ...process.env, NODE_ENV: 'development' }
    }
  )
