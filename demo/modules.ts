/** Serves the page and its modules without a build step: TypeScript with the types blanked out. */

import { readFile, realpath } from 'node:fs/promises'
import type http from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { extname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The paths that are served, and the exceptions below them. */
const served = [
  'demo/index.html',
  'demo/style/',
  'demo/page.ts',
  'demo/page/',
  'src/',
  'node_modules/eventsource-parser/dist/',
  'node_modules/idb-keyval/dist/'
]
const withheld = ['src/server/']

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8'
}

// Node warns once that type stripping is experimental. Users of the demo can't do anything about that.
const { emitWarning } = process
process.emitWarning = () => {}
stripTypeScriptTypes('')
process.emitWarning = emitWarning

/** Answers a GET or HEAD of the page or one of its modules. Everything else gets a 404. */
export async function serveModule(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const name = fileFor(req.url ?? '/')
  const type = types[extname(name)]
  const text = type === undefined || (req.method !== 'GET' && req.method !== 'HEAD') ? undefined : await readServed(name)
  if (text === undefined) {
    res.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
    return
  }
  res.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' })
  res.end(name.endsWith('.ts') ? strip(name, text) : text)
}

/** The code of each module, kept until its source changes: blanking out the types of all of them takes a quarter of a second. */
const stripped = new Map<string, { source: string; code: string }>()

function strip(name: string, source: string): string {
  const known = stripped.get(name)
  if (known?.source === source) return known.code
  const code = stripTypeScriptTypes(source, { mode: 'strip' })
  stripped.set(name, { source, code })
  return code
}

function fileFor(url: string): string {
  try {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname).slice(1)
    return path === '' ? 'demo/index.html' : path
  } catch {
    return '' // not a URL, or not UTF-8: no file has that name
  }
}

async function readServed(name: string): Promise<string | undefined> {
  const isServed = (path: string): boolean => served.some((allowed) => path === allowed || (allowed.endsWith('/') && path.startsWith(allowed)))
  const isWithheld = (path: string): boolean => withheld.some((prefix) => path.startsWith(prefix))
  if (!isServed(name) || isWithheld(name)) return undefined
  try {
    // The real path is checked too, so that `..` and symbolic links can't lead out of what is served.
    const file = await realpath(root + name)
    const real = file.slice(root.length).split(sep).join('/')
    return file.startsWith(root) && isServed(real) && !isWithheld(real) ? await readFile(file, 'utf8') : undefined
  } catch {
    return undefined // no such file
  }
}
