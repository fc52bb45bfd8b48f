/** An example as somebody has it who has copied its folder and run `npm install`, started by its own script. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { root } from '../package/tarball.ts'
import { freePort } from '../server/redis-server.ts'

/** Of a test's context, or Vitest's `afterAll`. */
export type OnFinished = (stop: () => void | Promise<void>) => void

export interface Manifest {
  private: boolean
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

export interface Command {
  /** Resolves with its exit code; null where a signal has ended it. */
  exited: Promise<number | null>
  hasEnded(): boolean
  /** What it has written so far. */
  said(): string
  /** Ends it as a platform does. Resolves with its exit code once it has ended. */
  terminate(): Promise<number | null>
  /** Ends it as a power cut does. */
  kill(): Promise<void>
}

export interface Running extends Command {
  origin: string
  port: number
}

/** What an example may take to answer its first request. */
const START_MS = 60_000
const MAX_SAID = 20_000

export const folderOf = (name: string): string => join(root, 'examples', name)

export const manifestOf = (name: string): Manifest => JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8'))

/** The names of the examples that are Node packages. */
export const nodeExamples = (): string[] => readdirSync(join(root, 'examples')).filter((name) => existsSync(join(folderOf(name), 'package.json')))

/** `parent`: where the copy goes; by default among temporary files. */
export function copyFolder(name: string, onFinished: OnFinished, parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(parent, `jobtail-example-${name}-`))
  onFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const isSource = (path: string): boolean => !/\/(node_modules|\.next|__pycache__)(\/|$)/.test(path.slice(folderOf(name).length))
  cpSync(folderOf(name), folder, { recursive: true, filter: isSource })
  return folder
}

/** A copy of a Node package with what its package.json names: nothing else can be imported there. */
export function copyExample(...[name, ...where]: Parameters<typeof copyFolder>): string {
  const folder = copyFolder(name, ...where)
  const { dependencies, devDependencies } = manifestOf(name)
  for (const each of Object.keys({ ...dependencies, ...devDependencies })) {
    const place = join(folder, 'node_modules', each)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(each === 'jobtail' ? root : realpathSync(join(root, 'node_modules', each)), place)
  }
  return folder
}

/** Our own commands first, and the Node that runs the tests. */
const environment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_ENV: undefined, // of the tests
  VITEST: undefined,
  PATH: [dirname(process.execPath), join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter),
  ...env
})

/** Starts a script of the copy's package.json. Resolves once `path` is answered, whatever the status. */
export async function startExample(
  folder: string,
  onFinished: OnFinished,
  { script = 'start', path = '/', env = {} }: { script?: string; path?: string; env?: NodeJS.ProcessEnv } = {}
): Promise<Running> {
  const port = await freePort()
  const { scripts }: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const running = { ...startCommand(`exec ${scripts[script]}`, folder, onFinished, { PORT: String(port), ...env }), port, origin: `http://127.0.0.1:${port}` }
  await answers(`${running.origin}${path}`, running)
  return running
}

/** Starts a command, in a process group of its own, of which nothing is left when the test is over. */
export function startCommand(command: string, cwd: string, onFinished: OnFinished, env: NodeJS.ProcessEnv = {}): Command {
  const child = spawn('sh', ['-c', command], { cwd, env: environment(env), stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      said = (said + data).slice(-MAX_SAID)
    })
  }
  const exited = once(child, 'exit').then(([code]): number | null => code)
  function signal(name: NodeJS.Signals): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // all of its group have ended
    }
  }
  const killAll = (): void => signal('SIGKILL')
  process.once('exit', killAll)
  const kill = async (): Promise<void> => {
    process.off('exit', killAll)
    killAll()
    await exited
  }
  onFinished(kill)
  return {
    exited,
    said: () => said,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    kill,
    terminate() {
      child.kill('SIGTERM')
      return exited
    }
  }
}

/** Resolves once the address is answered. @throws where the process has ended, or takes too long */
export async function answers(url: string, { hasEnded, said }: Command): Promise<void> {
  const deadline = performance.now() + START_MS
  for (;;) {
    const isThere = await fetch(url, { redirect: 'manual' }).then(
      async (response) => {
        await response.body?.cancel()
        return true
      },
      () => false
    )
    if (isThere) return
    if (hasEnded() || performance.now() > deadline) throw new Error(`${url} is not answered. The example has written: ${said()}`)
    await new Promise((resolve) => setTimeout(resolve, 50)) // between two looks
  }
}
