/** A page of React on Vite's dev server, with Fast Refresh, and jobs of a stage on its own origin. */

import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Plugin } from 'vite'
import { type ServedStage, startStage } from '../test/bindings/control/stage.ts'

const root = join(import.meta.dirname, '..')
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

const page = {
  'index.html': '<!doctype html><html lang="en"><body><main></main><script type="module" src="/first.ts"></script></body></html>',
  // Before React is loaded.
  'first.ts': `
    import runtime from 'react-refresh'
    runtime.injectIntoGlobalHook(window)
    await import('./main.tsx')`
}

export interface ReactPage extends AsyncDisposable {
  url: string
  stage: ServedStage
  /** The folder with the page's files. */
  folder: string
}

/** `files`: `main.tsx` mounts something into `<main>`. What is in `card.tsx` is replaced as it is edited. */
export async function serveReact(files: { 'main.tsx': string; 'card.tsx': string }): Promise<ReactPage> {
  const stage = await startStage()
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'jobtail-react-')))
  for (const [name, text] of Object.entries({ ...page, ...files })) await writeFile(join(folder, name), text)
  const packages = ['react', 'react-dom', 'idb-keyval', 'eventsource-parser'].map((name) => [name, join(root, 'node_modules', name)])
  const server = await createServer({
    configFile: false,
    root: folder,
    cacheDir: join(folder, 'cache'),
    logLevel: 'error',
    plugins: [fastRefresh],
    oxc: { jsx: { runtime: 'automatic', development: true, refresh: true } },
    resolve: {
      alias: {
        'jobtail/react': join(root, 'src/react.ts'),
        jobtail: join(root, 'src/index.ts'),
        'react-refresh': runtime,
        ...Object.fromEntries(packages)
      }
    },
    server: { host: '127.0.0.1', port: 0, fs: { strict: false }, proxy: { '/jobs': { target: new URL(stage.url).origin, ws: true } } }
  })
  await server.listen()
  return {
    url: server.resolvedUrls?.local[0] ?? '',
    stage,
    folder,
    async [Symbol.asyncDispose]() {
      await server.close()
      await stage.close()
      await rm(folder, { recursive: true, force: true })
    }
  }
}
