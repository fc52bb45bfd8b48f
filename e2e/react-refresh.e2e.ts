/** Fast Refresh: a component's file is edited while Vite's dev server runs. Its state stays, and so does the connection. */

import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Plugin } from 'vite'
import { expect, test } from 'vitest'
import { startStage } from '../test/bindings/control/stage.ts'
import { isInstalled, launchBrowser } from './browsers.ts'

const root = join(import.meta.dirname, '..')
const patiently = { timeout: 20_000 }
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

const files = (url: string): Record<string, string> => ({
  'index.html': '<!doctype html><html lang="en"><body><main></main><script type="module" src="/first.ts"></script></body></html>',
  // Before React is loaded.
  'first.ts': `
    import runtime from 'react-refresh'
    runtime.injectIntoGlobalHook(window)
    await import('./main.tsx')`,
  'main.tsx': `
    import { createRoot } from 'react-dom/client'
    import { createClient } from 'jobtail'
    import { JobtailProvider } from 'jobtail/react'
    import { Card } from './card.tsx'
    window.told = []
    const client = createClient({ url: '${url}' })
    createRoot(document.querySelector('main')).render(<JobtailProvider client={client}><Card /></JobtailProvider>)`,
  'card.tsx': `
    import { useState } from 'react'
    import { useJob, useJobEvents } from 'jobtail/react'
    export function Card() {
      const [clicks, setClicks] = useState(0)
      const { status, progress } = useJob('42', { onEvent: ({ type }) => window.told.push(type) })
      const { length } = useJobEvents('42')
      return <button onClick={() => setClicks(clicks + 1)}>{\`before \${clicks} \${status} \${progress?.ratio} \${length}\`}</button>
    }`
})

test.skipIf(!isInstalled('chromium'))('an edited component keeps its state and its connection, and gets no event twice', async ({ onTestFinished }) => {
  const stage = await startStage()
  onTestFinished(() => stage.close())
  await stage.publish('42', 'progress', { ratio: 0.25 })
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'jobtail-refresh-')))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files(stage.url))) await writeFile(join(folder, name), text)
  const of = (name: string): string => join(root, 'node_modules', name)
  const alias = { 'jobtail/react': join(root, 'src/react.ts'), jobtail: join(root, 'src/index.ts'), 'react-refresh': runtime }
  const server = await createServer({
    configFile: false,
    root: folder,
    cacheDir: join(folder, 'cache'),
    logLevel: 'error',
    plugins: [fastRefresh],
    oxc: { jsx: { runtime: 'automatic', development: true, refresh: true } },
    resolve: {
      alias: { ...alias, react: of('react'), 'react-dom': of('react-dom'), 'idb-keyval': of('idb-keyval'), 'eventsource-parser': of('eventsource-parser') }
    },
    server: { host: '127.0.0.1', port: 0, fs: { strict: false } }
  })
  onTestFinished(() => server.close())
  await server.listen()
  const browser = await launchBrowser('chromium')
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  let loads = 0
  page.on('load', () => {
    loads += 1
  })
  await page.goto(server.resolvedUrls?.local[0] ?? '')
  const button = page.getByRole('button')
  await expect.poll(() => button.textContent(), patiently).toBe('before 0 running 0.25 1')
  await button.click()
  await expect.poll(() => button.textContent(), patiently).toBe('before 1 running 0.25 1')
  const before = stage.counts()
  const loadsBefore = loads

  for (const [from, to] of [
    ['before', 'after'],
    ['after', 'again']
  ] as const) {
    const card = join(folder, 'card.tsx')
    await writeFile(card, (await readFile(card, 'utf8')).replace(from, to))
    await expect.poll(() => button.textContent(), patiently).toBe(`${to} 1 running 0.25 1`)
  }
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(() => button.textContent(), patiently).toBe('again 1 running 0.5 2')
  expect(await page.evaluate(() => Reflect.get(window, 'told'))).toEqual(['progress', 'progress'])
  expect(stage.counts()).toEqual(before)
  expect(before.arrived.websocket).toBe(1)
  expect({ loads, complaints }).toEqual({ loads: loadsBefore, complaints: [] })
})
