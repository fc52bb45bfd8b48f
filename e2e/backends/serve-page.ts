/** Serves the page, bundled once. */

import type http from 'node:http'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

async function bundlePage(): Promise<string> {
  const build = await rolldown({ input: fileURLToPath(new URL('page.ts', import.meta.url)), platform: 'browser' })
  const { output } = await build.generate({ format: 'es' })
  await build.close()
  return output[0].code
}

let bundled: Promise<string> | undefined

export async function servePage(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost')
  if (pathname === '/') {
    return void res
      .writeHead(200, { 'content-type': 'text/html' })
      .end('<!doctype html><title>Jobtail</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>')
  }
  if (pathname !== '/page.js') return void res.writeHead(404).end()
  bundled ??= bundlePage()
  res.writeHead(200, { 'content-type': 'text/javascript' }).end(await bundled)
}
