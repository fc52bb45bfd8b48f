/** The panel of jobtail/devtools on a page with a strict content-security policy: what assistive technology finds, the clipboard, and what is left of it. */

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright'
import { build, type Rolldown } from 'vite'
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest'
import { serveModule } from '../demo/modules.ts'
import { createJobServer } from '../src/server/index.ts'
import { read } from '../test/docs/documents.ts'
import { createProject, textOf } from '../test/docs/guide-programs.ts'
import { isInstalled, launchBrowser } from './browsers.ts'

const patiently = { timeout: 30_000 }
/** Beside five other pages another transport may be first. */
const OVER_WEBSOCKET = /websocket (carries the job|takes over)/

/** Only this script and the modules of this origin run; nothing is styled but by constructed style sheets. */
const POLICY = "default-src 'none'; script-src 'self' 'nonce-import-map'; connect-src 'self'; require-trusted-types-for 'script'"
const pageOf = (content: string): string => `<!doctype html><html lang="en"><title>An app</title><body><main><h1>An app</h1></main>${content}</body></html>`
const PAGE = pageOf(`
<script type="importmap" nonce="import-map">{ "imports": {
  "eventsource-parser": "/node_modules/eventsource-parser/dist/index.js", "idb-keyval": "/node_modules/idb-keyval/dist/index.js" } }</script>
<script type="module" src="/src/devtools.ts"></script>
<jobtail-devtools open></jobtail-devtools>`)

/** The first example of docs/guides/devtools.md and a job that is followed, as Vite builds them. */
async function buildExample(mode: 'development' | 'production'): Promise<Map<string, string>> {
  const block = read('docs/guides/devtools.md').blocks.find(({ marks }) => marks.run === 'devtools-mount')
  if (!block) throw new Error('docs/guides/devtools.md has no block with <!-- run: devtools-mount -->')
  const follow = "import { subscribe } from 'jobtail'\nsubscribe('42', { memory: false }).onChange(() => {})"
  await using project = await createProject({ 'app.ts': `${textOf(block)}\n${follow}` })
  const source = (name: string): string => fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url))
  vi.stubEnv('NODE_ENV', mode)
  const built = await build({
    configFile: false,
    root: project.folder,
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^jobtail$/, replacement: source('index') },
        { find: /^jobtail\/devtools$/, replacement: source('devtools') }
      ]
    },
    build: { write: false, target: 'esnext', modulePreload: { polyfill: false }, rolldownOptions: { input: join(project.folder, 'app.ts') } }
  })
  vi.unstubAllEnvs()
  const { output } = [built].flat()[0] as Rolldown.RolldownOutput // as: it does not watch
  return new Map(output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : String(file.source)]))
}

describe.concurrent.each((['chromium'] as const).filter(isInstalled))('jobtail/devtools in %s', (name) => {
  const jobs = createJobServer({ authorize: () => true })
  const server = http.createServer((req, res) => {
    if (req.url === '/') res.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': POLICY }).end(PAGE)
    else if (req.url === '/example') res.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': POLICY }).end(pageOf(example))
    else if (built.has(req.url ?? '')) res.writeHead(200, { 'content-type': 'text/javascript' }).end(built.get(req.url ?? ''))
    else void serveModule(req, res)
  })
  /** What `/example` and its modules are. */
  let example = ''
  let built = new Map<string, string>()
  let browser: Browser
  let origin: string

  beforeAll(async () => {
    jobs.attach(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on TCP
    browser = await launchBrowser(name)
  })
  afterAll(async () => {
    await browser.close()
    await jobs.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  /** Opens the page and follows a job there, until the panel shows it. */
  async function open({ onTestFinished }: TestContext, options: BrowserContextOptions): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await jobs.publish('42', 'progress', { ratio: 0.5 })
    await page.goto(origin)
    await page.evaluate(`import('/src/index.ts').then(({ subscribe }) => void subscribe('42', { memory: false }).onChange(() => {}))`)
    await page.getByText(OVER_WEBSOCKET).waitFor()
    return { page, complaints }
  }

  /** The layout shifts that no input of the user has caused: what moved, from where to where. */
  const shifts = (page: Page): Promise<string[]> =>
    page.evaluate(
      () =>
        new Promise((resolve) => {
          const all: string[] = []
          new PerformanceObserver((list) => {
            // as: TypeScript doesn't know LayoutShift (Layout Instability API)
            for (const { sources } of list.getEntries() as (PerformanceEntry & { sources: { node?: Node; previousRect: DOMRect; currentRect: DOMRect }[] })[])
              for (const { node, previousRect, currentRect } of sources)
                all.push(`${node?.nodeName} ${(node as Element | undefined)?.className}: ${JSON.stringify([previousRect, currentRect])}`)
          }).observe({ type: 'layout-shift', buffered: true })
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(all)))
        })
    )

  test.for([
    { colorScheme: 'light', viewport: { width: 1440, height: 800 } },
    { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
    { forcedColors: 'active', viewport: { width: 360, height: 740 } }
  ] as const)('axe finds nothing, the policy is kept, and the page does not move: %j', async (options, context) => {
    const { page, complaints } = await open(context, options)
    expect(await shifts(page)).toEqual([])
    await page.getByText('Clients', { exact: true }).click()
    await page.getByText('staggerMs: 250').waitFor()
    await page.evaluate(await readFile(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8'))
    const { violations, passes } = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run()) // as: the script above
    expect(violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])).toEqual([])
    expect(passes.map(({ id }) => id)).toContain('scrollable-region-focusable')
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(options.viewport.width)
    const box = await page.getByRole('region', { name: 'Jobtail devtools' }).boundingBox()
    expect((box?.x ?? -1) >= 0 && (box?.y ?? -1) >= 0 && (box?.x ?? 0) + (box?.width ?? 0) <= options.viewport.width).toBe(true)
    expect(complaints).toEqual([])
  })

  test('the report reaches the clipboard, and stays in view where it may not', async (context) => {
    const { page } = await open(context, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.getByRole('button', { name: 'Copy report' }).click()
    await page.getByRole('status').filter({ hasText: 'The report is in the clipboard.' }).waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    expect(copied).toContain(`url: ${origin}/jobs\n`)
    expect(copied).toMatch(OVER_WEBSOCKET)
    await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined })) // as on a page without TLS
    await page.getByRole('button', { name: 'Copy report' }).click()
    await context.expect.poll(() => page.getByRole('textbox', { name: 'Report to copy' }).inputValue(), patiently).toContain('## Jobtail report')
  })

  test('mounted and removed a hundred times, it leaves no listener and no node', async (context) => {
    const { page } = await open(context, {})
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable')
    /** Mounts and removes panels; counts nodes and listeners of the page once garbage is collected. */
    async function countAfter(times: number): Promise<Record<string, number>> {
      await page.evaluate(async (times) => {
        for (let count = 0; count < times; count++) {
          const panel = document.createElement('jobtail-devtools')
          panel.setAttribute('open', '')
          document.body.append(panel)
          await new Promise(requestAnimationFrame)
          panel.remove()
        }
      }, times)
      await session.send('HeapProfiler.collectGarbage')
      const { metrics } = await session.send('Performance.getMetrics')
      return Object.fromEntries(metrics.filter(({ name }) => name === 'Nodes' || name === 'JSEventListeners').map(({ name, value }) => [name, value]))
    }
    const before = await countAfter(10)
    const after = await countAfter(100)
    expect(before.Nodes).toBeGreaterThan(50)
    // What is painted beside it, and what the browser has not collected yet, is less than what one panel in ten would leave.
    expect((after.Nodes ?? 0) - (before.Nodes ?? 0)).toBeLessThan(10 * 50)
    expect((after.JSEventListeners ?? 0) - (before.JSEventListeners ?? 0)).toBeLessThan(10 * 5)
  })

  test('the example of the guide: in development the panel is there, in production nothing of it', async ({ onTestFinished }) => {
    const production = await buildExample('production')
    expect([...production.values()].join()).not.toContain('jobtail-devtools')
    built = await buildExample('development')
    example = `<script type="module" src="${[...built.keys()].find((name) => name.includes('app'))}"></script>`
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await jobs.publish('42', 'progress', { ratio: 0.5 })
    await page.goto(`${origin}/example`)
    await page.getByRole('button', { name: 'Jobtail' }).click()
    await page.getByText(OVER_WEBSOCKET).waitFor()
  })
})
