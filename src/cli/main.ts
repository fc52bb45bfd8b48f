#!/usr/bin/env node
/** The executable `jobtail`. */

import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import type { WriteStream } from 'node:tty'
import { pathToFileURL } from 'node:url'
import type { Sink } from './command-context.ts'
import { run } from './commands.ts'
import { EXIT, Exit } from './exit-codes.ts'

// The client warns page developers of CORS and of logins on the console. Those hints are wrong in a terminal; the command prints messages of its own.
console.warn = () => {}

const abort = new AbortController()
const abortWith = (code: number) => (): void => abort.abort(new Exit(code, ''))
// `once`: a second Ctrl-C ends the process at once.
process.once('SIGINT', abortWith(EXIT.interrupted))
process.once('SIGTERM', abortWith(EXIT.terminated))
// EPIPE: the program that reads the output has gone, as `head` does.
for (const stream of [process.stdout, process.stderr]) stream.on('error', abortWith(EXIT.interrupted))

const sinkOf = (stream: WriteStream): Sink => ({
  write: (written) => void stream.write(written),
  columns: () => (stream.isTTY ? stream.columns || 80 : undefined) // some terminals don't tell their width
})

async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false }) // `terminal: true` would keep Ctrl-C from the process
  try {
    const nothing = once(lines, 'close').then(() => '') // Ctrl-D
    const answer = await Promise.race([lines.question(question, { signal: abort.signal }), nothing])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}

process.exitCode = await run(process.argv.slice(2), {
  stdout: sinkOf(process.stdout),
  stderr: sinkOf(process.stderr),
  env: process.env,
  stdin: () => text(process.stdin),
  load: (path) => import(pathToFileURL(resolve(path)).href),
  confirm: process.stdin.isTTY && process.stderr.isTTY ? confirm : undefined,
  signal: abort.signal
})
