/** `npm run demo`: starts the demo, prints its address, and closes it at SIGINT or SIGTERM. `--port 8080`, `--host 127.0.0.1`. */

import { parseArgs } from 'node:util'
import { type Demo, startDemo } from './server.ts'

const { values } = parseArgs({ options: { port: { type: 'string' }, host: { type: 'string', default: '127.0.0.1' } } })
const wanted = Number(values.port ?? 8080)
if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65_535) {
  console.error(`--port: expected a number from 0 to 65535, got ${values.port}`)
  process.exit(2)
}

/** Starts on the wanted port, or on the next free one of the hundred after it. */
async function startOnFreePort(): Promise<Demo> {
  for (let port = wanted; ; port += 1) {
    try {
      return await startDemo({ port, host: values.host })
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      if (!isTaken || port >= Math.min(wanted + 100, 65_535)) throw error
    }
  }
}

const demo = await startOnFreePort()
console.log(`\n  Jobtail demo:  ${demo.url}/\n\n  Open it and press the big button.\n  Ctrl+C ends it.\n`)

let isClosing = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (isClosing) process.exit(1)
    isClosing = true
    void demo.close()
  })
}
