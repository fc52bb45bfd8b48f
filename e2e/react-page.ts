/** A page of React on Vite's dev server, with Fast Refresh. */

import { createRequire } from 'node:module'
import type { Plugin } from 'vite'
import { type DevPage, serveDev } from './dev-page.ts'

/** React's own runtime of Fast Refresh, of which Next has a copy. */
const runtime = createRequire(import.meta.url).resolve('next/dist/compiled/react-refresh/runtime.js')

/** What `@vitejs/plugin-react` does: registers the components of a module with the runtime, and lets it replace them when the module is loaded again. */
const fastRefresh: Plugin = {
  name: 'fast-refresh',
  transform(code, id) {
    if (!id.endsWith('card.tsx')) return
    return `import runtime from 'react-refresh'
      globalThis.$RefreshReg$ = (type, name) => runtime.register(type, name)
      globalThis.$RefreshSig$ = runtime.createSignatureFunctionForTransform
      ${code}
      import.meta.hot.accept(() => runtime.performReactRefresh())`
  }
}

/** Before React is loaded. */
const first = `
  import runtime from 'react-refresh'
  runtime.injectIntoGlobalHook(window)
  await import('./main.tsx')`

/** `files`: `main.tsx` mounts something into `<main>`. What is in `card.tsx` is replaced as it is edited. */
export const serveReact = (files: { 'main.tsx': string; 'card.tsx': string }): Promise<DevPage> =>
  serveDev({ ...files, 'first.ts': first }, 'first.ts', {
    plugins: [fastRefresh],
    oxc: { jsx: { runtime: 'automatic', development: true, refresh: true } },
    resolve: { alias: { 'react-refresh': runtime } }
  })
