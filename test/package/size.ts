import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

/** What the script-tag bundle may weigh in bytes, compressed by brotli at its best, dependencies included. */
export const budgetBytes = 10_000

export function bundleBytes(): number {
  const bundle = readFileSync(fileURLToPath(new URL('../../dist/jobtail.min.js', import.meta.url)))
  return brotliCompressSync(bundle, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bundle.length } }).length
}

if (import.meta.main) console.log(`dist/jobtail.min.js: ${bundleBytes()} of ${budgetBytes} bytes (brotli)`)
