import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

/**
 * What the script-tag bundle may weigh in bytes, compressed by brotli at its best, dependencies included. It is where the bundle stands: whoever
 * raises it says what for in the commit. The aim is 10,000. eventsource-parser is about 1,400 of it, the words of errors and of `explain` about 1,700.
 */
export const budgetBytes = 17_000

export function bundleBytes(): number {
  const bundle = readFileSync(fileURLToPath(new URL('../../dist/jobtail.min.js', import.meta.url)))
  return brotliCompressSync(bundle, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bundle.length } }).length
}

if (import.meta.main) console.log(`dist/jobtail.min.js: ${bundleBytes()} of ${budgetBytes} bytes (brotli)`)
