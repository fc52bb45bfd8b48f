/** The page of the guides, as docs/start/page.md has it, put to the browser tests of docs/guides/testing.md. */

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { read } from '../test/docs/documents.ts'
import { createProject, textOf } from '../test/docs/guide-programs.ts'
import { freePort } from '../test/server/redis-server.ts'
import { findBrowser, launchOptions } from '../test/setup/browsers.ts'

const root = join(import.meta.dirname, '..')
const chromium = findBrowser('chromium')

function block(document: string, name: string): string {
  const found = read(document).blocks.find(({ marks }) => marks.run === name)
  if (!found) throw new Error(`${document} has no block with <!-- run: ${name} -->`)
  return textOf(found)
}

/** Vite with the guide's configuration, and the library's source in place of the package. */
const viteOf = (port: number): string => `
import { createServer, mergeConfig } from 'vite'
import config from './vite.config.ts'
const own = {
  configFile: false,
  resolve: { alias: { jobtail: '${join(root, 'src/index.ts')}' } },
  server: { host: '127.0.0.1', port: ${port}, strictPort: true, fs: { strict: false } },
  logLevel: 'error'
}
await (await createServer(mergeConfig(config, own))).listen()
`

test.skipIf(!chromium)('the page of the guide passes the tests of the guide', async () => {
  const [port, vitePort] = [await freePort(), await freePort()]
  const page = (name: string) => block('docs/start/page.md', name).replaceAll('8080', `${port}`)
  await using project = await createProject({
    'server.js': page('start-server').replace('sleep(500', 'sleep(150'),
    'vite.config.ts': page('start-proxy'),
    'vite.js': viteOf(vitePort),
    'index.html': `<!doctype html><html lang="en"><body>${page('start-html')}</body></html>`,
    'jobs.spec.ts': block('docs/guides/testing.md', 'testing-playwright'),
    'playwright.config.ts': `export default ${JSON.stringify({
      fullyParallel: true,
      workers: 3,
      reporter: 'json',
      timeout: 60_000,
      expect: { timeout: 20_000 },
      use: { baseURL: `http://127.0.0.1:${vitePort}`, launchOptions: launchOptions('chromium', chromium ?? '') }
    })}`
  })
  await mkdir(join(project.folder, 'src'))
  await writeFile(join(project.folder, 'src/main.ts'), page('start-page'))
  project.start('server.js', {})
  project.start('vite.js', {})
  await vi.waitFor(() => Promise.all([fetch(`http://127.0.0.1:${port}/`), fetch(`http://127.0.0.1:${vitePort}/`)]), { timeout: 30_000, interval: 100 })
  const run = promisify(execFile)(process.execPath, [join(root, 'node_modules/playwright/cli.js'), 'test'], { cwd: project.folder, timeout: 90_000 })
  const { stdout } = await run.catch((error: { stdout: string }) => error) // its report says what has failed
  expect(JSON.parse(stdout)).toMatchObject({ errors: [], stats: { expected: 5, unexpected: 0, flaky: 0, skipped: 0 } })
})
