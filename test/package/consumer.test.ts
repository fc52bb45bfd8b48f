/** The package as a user gets it: packed, installed into an empty project, imported, and type-checked. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bin, type Packed, pack, root, run } from './tarball.ts'

let packed: Packed
let project: string
let installed: string

beforeAll(async () => {
  packed = await pack()
  project = join(packed.folder, 'project')
  installed = join(project, 'node_modules/jobtail')
  await mkdir(join(project, 'node_modules/@types'), { recursive: true })
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await run('npm', ['install', packed.tarball, '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: project })
  await cp(join(import.meta.dirname, 'consumer'), join(project, 'src'), { recursive: true })
})
afterAll(() => packed.remove())

/** Adds one of our packages to the project, as a user installs an optional one. */
async function add(name: string): Promise<void> {
  const target = join(project, 'node_modules', name)
  if (!existsSync(target)) await symlink(await realpath(join(root, 'node_modules', name)), target)
}

/** Runs a module in the project, in a process that must end by itself. */
const node = (source: string) => run(process.execPath, ['--input-type=module', '--eval', source], { cwd: project, timeout: 60_000 })

describe('imported in Node', () => {
  // Records which globals of Node and of browsers an installed package reads.
  const watch = `
    import { runInNewContext } from 'node:vm'
    const language = new Set(runInNewContext('Object.getOwnPropertyNames(globalThis)'))
    const browser = ['window', 'self', 'document', 'location', 'indexedDB', 'localStorage', 'addEventListener']
    const touched = []
    for (const name of [...browser, ...Object.getOwnPropertyNames(globalThis)]) {
      const { value, get } = Object.getOwnPropertyDescriptor(globalThis, name) ?? {}
      if (language.has(name) || SPARED.includes(name)) continue
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get() {
          if (new Error().stack.includes('/project/node_modules/')) touched.push(name)
          return get ? get.call(globalThis) : value
        }
      })
    }
    const before = Reflect.ownKeys(globalThis)
    const module = await import('SPECIFIER')
    const added = Reflect.ownKeys(globalThis).filter((name) => !before.includes(name))
    console.log(JSON.stringify({ touched, added, names: Object.keys(module) }))
  `
  const imported = async (specifier: string, spared: readonly string[] = []) => {
    const { stdout } = await node(watch.replace('SPARED', JSON.stringify(spared)).replace('SPECIFIER', specifier))
    return JSON.parse(stdout)
  }

  test.each([
    [
      'jobtail',
      ['createClient', 'subscribe', 'start', 'webSocket', 'sse', 'longPoll', 'shortPoll', 'indexedDbMemory', 'JobtailError', 'JobFailedError', 'isJobtailError']
    ],
    ['jobtail/core', ['createClient', 'ndjson']],
    ['jobtail/explain', ['explain']]
  ])('%s reads and changes no global', async (specifier, names) => {
    const result = await imported(specifier)
    expect(result).toMatchObject({ touched: [], added: [] })
    expect(result.names).toEqual(expect.arrayContaining(names))
  })

  test('jobtail/server uses only globals of Node', async () => {
    const result = await imported('jobtail/server', ['process', 'Buffer', 'Blob', 'setImmediate', 'TextEncoder'])
    expect(result).toMatchObject({ touched: [], added: [] })
    expect(result.names).toEqual(expect.arrayContaining(['createJobServer', 'memoryLog']))
  })

  test('jobtail/server/redis needs the package redis, and connects to nothing', async () => {
    await expect(node("await import('jobtail/server/redis')")).rejects.toThrow(/Cannot find package 'redis'/)
    await add('redis')
    const { stdout } = await node("const { redisLog } = await import('jobtail/server/redis'); await redisLog().close(); console.log('closed')")
    expect(stdout.trim()).toBe('closed')
  })

  test('jobtail/server/bullmq needs the package bullmq, and connects to nothing', async () => {
    await expect(node("await import('jobtail/server/bullmq')")).rejects.toThrow(/Cannot find package 'bullmq'/)
    await add('bullmq')
    const { stdout } = await node("const { bullmqBridge } = await import('jobtail/server/bullmq'); console.log(typeof bullmqBridge)")
    expect(stdout.trim()).toBe('function')
  })

  test('a package that reads or changes globals is detected', async () => {
    await mkdir(join(project, 'node_modules/touching'))
    await writeFile(join(project, 'node_modules/touching/index.mjs'), 'export const a = globalThis.fetch && typeof indexedDB\nglobalThis.left = 1')
    expect(await imported('./node_modules/touching/index.mjs')).toMatchObject({ touched: ['fetch', 'indexedDB'], added: ['left'] })
  })

  test('require() works', async () => {
    const { stdout } = await run(process.execPath, ['--eval', "console.log(typeof require('jobtail').subscribe)"], { cwd: project })
    expect(stdout.trim()).toBe('function')
  })
})

describe('the command', () => {
  const jobtail = (...args: string[]) => run(join(project, 'node_modules/.bin/jobtail'), args, { cwd: project, timeout: 60_000 })

  test('follows a job of a packed server, and checks that server', async () => {
    await writeFile(
      join(project, 'serve.mjs'),
      `import http from 'node:http'
       import { createJobServer } from 'jobtail/server'
       const jobs = createJobServer()
       await jobs.publish('1', 'started')
       await jobs.publish('1', 'succeeded')
       const server = http.createServer().listen(0, '127.0.0.1', () => process.send(server.address().port))
       jobs.attach(server)`
    )
    const server = fork(join(project, 'serve.mjs'))
    try {
      const [port] = await once(server, 'message')
      const base = `http://127.0.0.1:${port}/jobs`
      expect((await jobtail(`${base}/1`)).stdout).toMatch(/ started\n.* succeeded\n$/)
      expect((await jobtail('check', base, '--job', '1', '--only', 'sse', '--only', 'short-poll')).stdout).toContain(' 0 findings')
    } finally {
      server.kill()
    }
  })

  test('prints its usage', async () => {
    expect((await jobtail('--help')).stdout).toContain('jobtail check <base URL>')
  })
})

describe('type-checked, libraries included', () => {
  /** The errors of tsc in one file of the consumer. Empty where all is well and each `@ts-expect-error` is needed. */
  async function complaints(file: string, options: readonly string[]): Promise<string> {
    const strict = ['--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--target', 'ES2022']
    const { stdout } = await run(bin('tsc'), [...strict, ...options, join('src', file)], { cwd: project }).catch((error) => error)
    return stdout
  }
  const nodeNext = ['--module', 'NodeNext', '--moduleResolution', 'NodeNext']
  const bundler = ['--module', 'ESNext', '--moduleResolution', 'bundler']
  const page = ['--lib', 'ES2022,DOM', '--types', '']

  test.each([
    ['NodeNext', nodeNext],
    ['bundler', bundler]
  ])('a page compiles (%s)', async (_, resolution) => {
    expect(await complaints('page.ts', [...resolution, ...page])).toBe('')
  })

  test('a server compiles', async () => {
    await add('bullmq')
    await symlink(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'))
    expect(await complaints('server.ts', [...nodeNext, '--lib', 'ES2022', '--types', 'node'])).toBe('')
  })

  test('a wrong use is an error', async () => {
    await writeFile(join(project, 'src/mistake.ts'), "import { subscribe } from 'jobtail'\nsubscribe(42)\n")
    expect(await complaints('mistake.ts', [...nodeNext, ...page])).toContain('TS2345')
  })
})

describe('source maps', () => {
  test('refer to sources that are in the package', async () => {
    const maps = (await readdir(join(installed, 'dist'), { recursive: true }))
      .filter((path) => path.endsWith('.map'))
      .map((path) => join(installed, 'dist', path))
    const lost: string[] = []
    for (const map of maps) {
      const { sources, sourcesContent }: { sources: string[]; sourcesContent?: (string | null)[] } = JSON.parse(await readFile(map, 'utf8'))
      sources.forEach((source, index) => {
        if (!sourcesContent?.[index] && !existsSync(join(dirname(map), source))) lost.push(`${map}: ${source}`)
      })
    }
    expect(maps.length).toBeGreaterThan(20)
    expect(lost).toEqual([])
  })

  test.each(['jobtail.min.js', 'jobtail.js'])('of %s refer to the TypeScript sources', async (file) => {
    const { sources }: { sources: string[] } = JSON.parse(await readFile(join(installed, `dist/${file}.map`), 'utf8'))
    expect(sources).toEqual(expect.arrayContaining(['../src/client.ts', '../src/connection/connection.ts']))
    expect(sources.filter((source) => source.startsWith('dist/') || source.startsWith('./'))).toEqual([])
  })
})

test('the bundle comes with the licences of what it contains', async () => {
  const bundle = await readFile(join(installed, 'dist/jobtail.min.js'), 'utf8')
  expect(bundle.slice(0, 200)).toContain('THIRD-PARTY-NOTICES')
  expect(existsSync(join(installed, 'THIRD-PARTY-NOTICES'))).toBe(true)
  expect(existsSync(join(installed, 'LICENSE'))).toBe(true)
})
