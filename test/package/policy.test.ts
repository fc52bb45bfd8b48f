/** The packed package in fresh projects, built by Vite and webpack or loaded by a script tag, under a strict content security policy. */

import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Browser } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import { createJobServer } from '../../src/server/index.ts'
import { type Project, projects } from './policy-projects.ts'
import { type Packed, pack, root, run } from './tarball.ts'

/** Scripts, styles and connections of the page's own origin alone: nothing inline, no `eval`. `data:` is the favicon of the pages below. */
const POLICY = "default-src 'self'; img-src 'self' data:"
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

/** Installs the package as `npm install` does, with what is here, so that no network is needed. Returns the project's folder. */
async function install(packed: Packed, name: string, { files, packages }: Project): Promise<string> {
  const folder = join(packed.folder, name.replaceAll(' ', '-'))
  await mkdir(join(folder, 'node_modules/jobtail'), { recursive: true })
  await run('tar', ['-xzf', packed.tarball, '-C', join(folder, 'node_modules/jobtail'), '--strip-components=1'])
  for (const each of [...packages, 'eventsource-parser', 'idb-keyval']) {
    const place = join(folder, 'node_modules', each)
    await mkdir(join(place, '..'), { recursive: true })
    await symlink(join(root, 'node_modules', each), place)
  }
  for (const [path, text] of Object.entries({ 'package.json': '{ "private": true, "type": "module" }', ...files })) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

async function build(folder: string, { build: by }: Project): Promise<void> {
  const of = (path: string): string => join(root, 'node_modules', path)
  if (by === 'vite') await run(process.execPath, [of('vite/bin/vite.js'), 'build', '--logLevel', 'warn'], { cwd: folder })
  if (by === 'webpack') await run(process.execPath, [of('webpack-cli/bin/cli.js'), '--mode', 'production', '--no-devtool'], { cwd: folder })
}

/** Serves what a project has built, each file with the policy, and jobs that end at once. */
async function serve(folder: string): Promise<{ origin: string; close(): Promise<void> }> {
  const folders = ['dist', '.', 'node_modules/jobtail/dist'].map((each) => join(folder, each))
  const read = async (path: string): Promise<Buffer | undefined> => {
    for (const each of folders) {
      const body = await readFile(join(each, path)).catch(() => undefined)
      if (body) return body
    }
    return undefined
  }
  const jobs = createJobServer({
    authorize: () => true,
    start: async (job) => {
      for (const ratio of [0.5, 1]) await job.progress(ratio)
    }
  })
  const server = http.createServer(async ({ url = '/' }, res) => {
    const path = url === '/' ? '/index.html' : url
    const body = await read(path)
    res.writeHead(body ? 200 : 404, { 'content-type': TYPES[extname(path)] ?? 'text/plain', 'content-security-policy': POLICY }).end(body)
  })
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      await jobs.close({ graceMs: 100 })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

describe.skipIf(!isInstalled('chromium'))(`under ${POLICY}`, () => {
  let packed: Packed
  let browser: Browser
  beforeAll(async () => {
    ;[packed, browser] = await Promise.all([pack(), launchBrowser('chromium')])
  })
  afterAll(async () => {
    await browser?.close()
    await packed?.remove()
  })

  /** Opens a project's page. `complaints`: what the browser says of it, violations of the policy among them. */
  async function open(folder: string, onTestFinished: (stop: () => Promise<void>) => void) {
    const served = await serve(folder)
    onTestFinished(served.close)
    const page = await browser.newPage()
    onTestFinished(() => page.close())
    const complaints: string[] = []
    page.on('console', (message) => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(served.origin)
    return { page, complaints }
  }

  test.for(Object.entries(projects))('%s', async ([name, project], { onTestFinished }) => {
    const folder = await install(packed, name, project)
    await build(folder, project)
    const { page, complaints } = await open(folder, onTestFinished)
    await expect.poll(() => page.getByText('succeeded').count(), { timeout: 30_000 }).toBe(1)
    expect(await page.getByRole('progressbar').evaluate((bar: HTMLProgressElement) => bar.value)).toBe(1)
    expect(complaints).toEqual([])
  })

  test('a script in the page itself would be refused, and noticed', async ({ onTestFinished }) => {
    const folder = await install(packed, 'inline', { build: 'none', packages: [], files: { 'index.html': '<script>eval("1")</script>' } })
    const { complaints } = await open(folder, onTestFinished)
    await expect.poll(() => complaints.join()).toMatch(/Content Security Policy/)
  })
})
