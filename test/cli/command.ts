/** Runs the command line within this process, or as a process of its own. */

import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { CommandContext } from '../../src/cli/command-context.ts'
import { run } from '../../src/cli/commands.ts'
import { EXIT, Exit } from '../../src/cli/exit-codes.ts'

export interface Ran {
  code: number | null
  out: string
  err: string
}

export interface Running extends Promise<Ran> {
  /** What was written so far. */
  out(): string
  err(): string
  interrupt(signal?: NodeJS.Signals): void
}

/** `context` replaces the defaults, which are those of a process with pipes: no terminal, an empty stdin. */
export function jobtail(args: readonly string[], context: Partial<Omit<CommandContext, 'stdout' | 'stderr' | 'signal'>> & { columns?: number } = {}): Running {
  const interrupted = new AbortController()
  const written = { out: '', err: '' }
  const sink = (to: 'out' | 'err') => ({
    write(text: string) {
      written[to] += text
    },
    columns: () => context.columns
  })
  const defaults = { env: {}, stdin: async () => '', load: (path: string) => import(pathToFileURL(resolve(path)).href), confirm: undefined }
  const ran = run(args, { ...defaults, ...context, stdout: sink('out'), stderr: sink('err'), signal: interrupted.signal }).then((code) => ({
    code,
    ...written
  }))
  const interrupt = (): void => interrupted.abort(new Exit(EXIT.interrupted, ''))
  return Object.assign(ran, { out: () => written.out, err: () => written.err, interrupt })
}

export interface Process extends Running {
  /** Closes the reading end of its stdout, as `head` does. */
  hangUp(): void
}

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Runs the command as a process with pipes, without the environment variables that it reads. */
export function binary(args: readonly string[], { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {}): Process {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' })
  const written = { out: '', err: '' }
  for (const [stream, to] of [[child.stdout, 'out'] as const, [child.stderr, 'err'] as const])
    stream.setEncoding('utf8').on('data', (text: string) => {
      written[to] += text
    })
  child.stdin.on('error', () => {}).end(stdin) // a command that does not read it may have ended
  const ran = new Promise<Ran>((resolve, reject) => child.on('error', reject).on('close', (code) => resolve({ code, ...written })))
  return Object.assign(ran, {
    out: () => written.out,
    err: () => written.err,
    interrupt: (signal: NodeJS.Signals = 'SIGINT') => void child.kill(signal),
    hangUp: () => void child.stdout.destroy()
  })
}
