/** A page on Vite's dev server, with hot module replacement, and jobs of a stage on its own origin. */

import { mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright'
import { createServer, type InlineConfig } from 'vite'
import { type ServedStage, startStage } from '../test/bindings/control/stage.ts'

const root = join(import.meta.dirname, '..')
const source = (name: string): string => join(root, 'src', `${name}.ts`)

export interface DevPage extends AsyncDisposable {
  url: string
  stage: ServedStage
  /** Replaces a text in a file of the page. */
  edit(file: string, from: string, to: string): Promise<void>
}

/** `files`: by their names; the page loads `first`. `config`: what its framework needs, such as plugins. */
export async function serveDev(files: Readonly<Record<string, string>>, first: string, { resolve, ...config }: InlineConfig): Promise<DevPage> {
  const stage = await startStage()
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'jobtail-dev-')))
  const html = `<!doctype html><html lang="en"><body><main></main><script type="module" src="/${first}"></script></body></html>`
  for (const [name, text] of Object.entries({ ...files, 'index.html': html, 'package.json': '{}' })) await writeFile(join(folder, name), text)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const server = await createServer({
    ...config,
    configFile: false,
    root: folder,
    cacheDir: join(folder, 'cache'),
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^jobtail\/(\w+)$/, replacement: source('$1') },
        { find: 'jobtail', replacement: source('index') },
        ...Object.entries(resolve?.alias ?? {}).map(([find, replacement]) => ({ find, replacement }))
      ]
    },
    server: { host: '127.0.0.1', port: 0, fs: { strict: false }, proxy: { '/jobs': { target: new URL(stage.url).origin, ws: true } } }
  })
  await server.listen()
  return {
    url: server.resolvedUrls?.local[0] ?? '',
    stage,
    async edit(file, from, to) {
      const path = join(folder, file)
      await writeFile(path, (await readFile(path, 'utf8')).replace(from, to))
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await stage.close()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Opens a page. What goes wrong in it is in `complaints`. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    const isFavicon = message.location().url.endsWith('/favicon.ico')
    if (!isFavicon && ['warning', 'error'].includes(message.type())) complaints.push(message.text())
  })
  await page.goto(url)
  return { page, complaints }
}
