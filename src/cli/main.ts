#!/usr/bin/env node
/** The command `jobtail`. */

import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import type { WriteStream } from 'node:tty'
import { run } from './commands.ts'
import { EXIT, Exit } from './exit-codes.ts'
import type { Sink } from './outside.ts'

// What the client tells a page's developer there, it tells of CORS and sessions: the command says it in its own words.
console.warn = () => {}

const stopped = new AbortController()
const stop = (code: number) => (): void => stopped.abort(new Exit(code, ''))
// Once: whoever presses Ctrl-C again is not made to wait.
process.once('SIGINT', stop(EXIT.interrupted))
process.once('SIGTERM', stop(EXIT.terminated))
// Whoever read this has gone, as `head` does: that is no crash.
for (const stream of [process.stdout, process.stderr]) stream.on('error', stop(EXIT.interrupted))

const sinkOf = (stream: WriteStream): Sink => ({
  write: (written) => void stream.write(written),
  columns: () => (stream.isTTY ? stream.columns || 80 : undefined) // of some it is not known
})

async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false }) // as a terminal of its own it would keep Ctrl-C to itself
  try {
    const nothing = once(lines, 'close').then(() => '') // Ctrl-D
    const answer = await Promise.race([lines.question(question, { signal: stopped.signal }), nothing])
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
  confirm: process.stdin.isTTY && process.stderr.isTTY ? confirm : undefined,
  signal: stopped.signal
})
