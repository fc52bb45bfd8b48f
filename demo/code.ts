/** `GET /_code/{part}`: the source lines that the page shows as the code of a part. They are read from the files at each request. */

import { readFile } from 'node:fs/promises'
import type http from 'node:http'

type Region = readonly [file: string, name: string]

/** The regions of each part. A region lies between `// #region {name}` and `// #endregion`. */
export const codeParts: Readonly<Record<string, readonly Region[]>> = {
  jobtail: [
    ['demo/page.ts', 'start'],
    ['demo/page/job-card.ts', 'follow']
  ],
  eventsource: [['demo/page/bare.ts', 'eventsource']],
  websocket: [['demo/page/bare.ts', 'websocket']],
  server: [
    ['demo/server.ts', 'server'],
    ['demo/jobs/export.ts', 'export']
  ],
  proxy: [
    ['demo/page/acts.ts', 'acts'],
    ['demo/proxy/faults.ts', 'faults']
  ]
}

/** Answers with the part's code as text: each region below a line with its file and line number. Unknown parts get a 404. */
export async function answerCode(name: string, res: http.ServerResponse): Promise<void> {
  const regions = Object.hasOwn(codeParts, name) ? codeParts[name] : undefined
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' }
  if (!regions) {
    res.writeHead(404, headers).end('not found\n')
    return
  }
  const texts = await Promise.all(regions.map(readRegion))
  res.writeHead(200, headers).end(texts.join('\n\n'))
}

async function readRegion([file, name]: Region): Promise<string> {
  const lines = (await readFile(new URL(`../${file}`, import.meta.url), 'utf8')).split('\n')
  const first = lines.findIndex((line) => line.trim() === `// #region ${name}`) + 1
  const end = lines.findIndex((line, index) => index >= first && line.trim() === '// #endregion')
  if (first === 0 || end < 0) throw new Error(`${file}: no region ${name}`)
  const region = lines.slice(first, end)
  const indent = Math.min(...region.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)))
  return [`// ${file}:${first + 1}`, ...region.map((line) => line.slice(indent))].join('\n')
}
