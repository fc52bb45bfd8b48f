/** Runs README's quick start as it is written: in a fresh Vite app with the packed package, behind a proxy that drops WebSockets. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { read } from '../docs/documents.ts'
import { freePort } from '../server/redis-server.ts'
import { findBrowser, launchOptions } from '../setup/browsers.ts'
import { bin, type Packed, pack, root, run } from './tarball.ts'

const chromiumPath = findBrowser('chromium')
const vite = join(root, 'node_modules/vite/bin/vite.js')
const children: ChildProcess[] = []
let packed: Packed
let app: string
let browser: Browser
let ports: { server: number; vite: number }

/** A block of README, with its port replaced by a free one. */
function block(name: string): string {
  const found = read('README.md').blocks.find(({ marks }) => marks.run === name)
  if (!found) throw new Error(`README.md has no block with <!-- run: ${name} -->`)
  return found.code.map(({ text }) => text.replaceAll('8080', `${ports.server}`)).join('\n')
}

/** The files that `npm create vite@latest app -- --template vanilla-ts` creates (create-vite 9.3), without the page that shows Vite's logo. */
const template: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({ name: 'app', private: true, version: '0.0.0', type: 'module' }),
  'index.html': '<!doctype html>\n<html lang="en"><body><div id="app"></div><script type="module" src="/src/main.ts"></script></body></html>\n',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2023',
      module: 'esnext',
      lib: ['ES2023', 'DOM'],
      types: ['vite/client'],
      allowArbitraryExtensions: true,
      skipLibCheck: true,
      moduleResolution: 'bundler',
      allowImportingTsExtensions: true,
      verbatimModuleSyntax: true,
      moduleDetection: 'force',
      noEmit: true,
      noUnusedLocals: true,
      noUnusedParameters: true,
      erasableSyntaxOnly: true,
      noFallthroughCasesInSwitch: true
    },
    include: ['src']
  })
}

beforeAll(async () => {
  packed = await pack()
  app = join(packed.folder, 'app')
  ports = { server: await freePort(), vite: await freePort() }
  await mkdir(join(app, 'src'), { recursive: true })
  const files = {
    ...template,
    'server.js': block('quick-start-server'),
    'src/main.ts': block('quick-start-page'),
    'vite.config.ts': block('quick-start-proxy')
  }
  for (const [path, text] of Object.entries(files)) await writeFile(join(app, path), text)
  await install()
  if (chromiumPath) browser = await chromium.launch(launchOptions('chromium', chromiumPath))
  await Promise.all([start('server.js'), start(vite, '--port', `${ports.vite}`, '--strictPort', '--host', '127.0.0.1')])
  await Promise.all([answers(`http://127.0.0.1:${ports.server}/`), answers(`http://127.0.0.1:${ports.vite}/`)])
})
afterAll(async () => {
  await browser?.close()
  for (const child of children) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await packed?.remove()
})

/** Installs the package as `npm install` does, from what is here, so that no network is needed. consumer.test.ts runs npm itself. */
async function install(): Promise<void> {
  const modules = join(app, 'node_modules')
  await mkdir(join(modules, 'jobtail'), { recursive: true })
  await run('tar', ['-xzf', packed.tarball, '-C', join(modules, 'jobtail'), '--strip-components=1'])
  const { dependencies }: { dependencies: object } = JSON.parse(await readFile(join(modules, 'jobtail/package.json'), 'utf8'))
  for (const name of [...Object.keys(dependencies), 'vite']) await symlink(join(root, 'node_modules', name), join(modules, name))
  await mkdir(join(modules, '.bin'))
  await symlink('../jobtail/dist/cli/main.js', join(modules, '.bin/jobtail'))
  await chmod(join(modules, 'jobtail/dist/cli/main.js'), 0o755)
}

async function start(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, args, { cwd: app, stdio: 'ignore' })
  children.push(child)
  await once(child, 'spawn')
}

/** Resolves once something answers at this address, with any status. */
const answers = (url: string): Promise<Response> => vi.waitFor(() => fetch(url), { timeout: 30_000, interval: 100 })

/** What the page got over WebSockets to the jobs. */
function watchSockets(page: Page): { opened: number; frames: number } {
  const seen = { opened: 0, frames: 0 }
  page.on('websocket', (socket) => {
    if (!new URL(socket.url()).pathname.startsWith('/jobs')) return
    seen.opened += 1
    socket.on('framereceived', () => {
      seen.frames += 1
    })
  })
  return seen
}

test('compiles and builds in the template', async () => {
  const { stdout } = await run(bin('tsc'), [], { cwd: app }).catch((error) => error)
  expect(stdout).toBe('')
  await run(process.execPath, [vite, 'build'], { cwd: app })
})

test('ends with a full bar and the result, behind a proxy that drops WebSockets', { skip: !chromiumPath }, async () => {
  const page = await browser.newPage()
  const sockets = watchSockets(page)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.goto(`http://127.0.0.1:${ports.vite}/`)
  const bar = page.getByRole('progressbar')
  const values = new Set<number>()
  await expect
    .poll(
      async () => {
        const value = await bar.evaluate((element) => (element as HTMLProgressElement).value) // as: it is the page's <progress>
        values.add(value)
        return value
      },
      { timeout: 30_000, interval: 100 }
    )
    .toBe(1)
  await expect.poll(() => page.getByRole('status').textContent(), { timeout: 30_000 }).toBe('Ready: /report.pdf')
  expect([...values].filter((value) => value > 0 && value < 1).length, `the bar moved: ${[...values]}`).toBeGreaterThan(2)
  expect(sockets).toEqual({ opened: expect.any(Number), frames: 0 })
  expect(sockets.opened).toBeGreaterThan(0)
  expect(errors).toEqual([])
})

test('the script tag follows the same job', { skip: !chromiumPath }, async () => {
  const base = `http://127.0.0.1:${ports.server}/jobs`
  const response = await fetch(base, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"year":2026}' })
  const { id }: { id: string } = await response.json()
  const page = await browser.newPage()
  const logged: string[] = []
  page.on('console', (message) => logged.push(message.text()))
  await page.route('https://cdn.jsdelivr.net/npm/jobtail/**', async (route) => {
    const path = new URL(route.request().url()).pathname.replace('/npm/jobtail/', '')
    await route.fulfill({ contentType: 'text/javascript', body: await readFile(join(app, 'node_modules/jobtail', path), 'utf8') })
  })
  const address = `http://127.0.0.1:${ports.vite}/tag.html`
  await page.route(address, (route) => route.fulfill({ contentType: 'text/html', body: block('script-tag').replace("'42'", `'${id}'`) }))
  await page.goto(address)
  await expect.poll(() => page.getByRole('progressbar').evaluate((bar) => (bar as HTMLProgressElement).value), { timeout: 30_000 }).toBe(1) // as: the same
  await expect.poll(() => logged.join(), { timeout: 30_000 }).toContain('{url: /report.pdf}')
})

test('the command starts a job in a terminal and follows it to its end', async () => {
  const [command] = /npx jobtail start [^`]+/.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? []
  const { stdout } = await run('sh', ['-c', command?.replace('8080', `${ports.server}`) ?? 'false'], { cwd: app })
  expect(stdout.trim().split('\n').at(-1)).toMatch(/ succeeded .*report\.pdf/)
})
