#!/usr/bin/env node
/** The command `jobtail`. */

import { run } from './run.ts'

const interrupted = new AbortController()
const interrupt = (): void => interrupted.abort(new Error('interrupted'))
process.once('SIGINT', interrupt)
// Whoever read this has gone, as `head` does: that is no crash.
for (const stream of [process.stdout, process.stderr]) stream.on('error', interrupt)

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  columns: () => (process.stdout.isTTY ? process.stdout.columns || 80 : undefined), // of some it is not known
  signal: interrupted.signal
})
