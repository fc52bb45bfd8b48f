/** What a page downloads for each contestant: bundled, minified, compressed by brotli at its best. */

import { brotliCompressSync, constants } from 'node:zlib'
import { bundleText } from './bundle.ts'
import type { Table } from './tables.ts'

const dist = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).pathname)

/** What a user of each would import. */
const entries: Readonly<Record<string, string>> = {
  'jobtail: subscribe': `export { subscribe } from ${dist('index.js')}`,
  'jobtail: all of it': `export * from ${dist('index.js')}`,
  'jobtail/core, event stream': `export { createClient } from ${dist('core.js')}; export { sse } from ${dist('index.js')}`,
  'jobtail/core, WebSocket': `export { createClient } from ${dist('core.js')}; export { webSocket } from ${dist('index.js')}`,
  'eventsource-parser, for a bare fetch stream': `export { createParser } from 'eventsource-parser'`,
  'fetch-event-source': `export { fetchEventSource } from '@microsoft/fetch-event-source'`,
  'socket.io-client': `export { io } from 'socket.io-client'`
}

function brotliBytes(text: string): number {
  const code = Buffer.from(text)
  return brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: code.length } }).length
}

export async function sizes(): Promise<Table> {
  const lines: string[][] = []
  for (const [name, code] of Object.entries(entries)) lines.push([name, (brotliBytes(await bundleText(code)) / 1000).toFixed(1)])
  return [['', 'kB'], ...lines]
}
