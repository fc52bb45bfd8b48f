/** Pages with the elements, out of `dist/`, under a strict content-security policy; and a job server on the same origin. */

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createJobServer, type JobServer } from '../../src/server/index.ts'
import { root } from './tarball.ts'

export interface ElementSite {
  url: string
  jobs: JobServer
  /** How many sockets and requests for jobs are open. */
  open(): number
  /** Lets the scripts of pages go that were asked for with `?held`. */
  release(): void
  close(): Promise<void>
}

/** Nothing is allowed but what the page needs: no inline script or style, no HTML out of strings. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

const STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; background: light-dark(#fff, #111); color: light-dark(#111, #eee) }
  a { color: light-dark(#00c, #9cf) }
  body { margin: 1.5rem; max-width: 40rem } job-progress, job-list { margin-block: 1.5rem }`

const page = (body: string, query: string): string => `<!doctype html>
<html lang="en" dir="${query.includes('rtl') ? 'rtl' : 'ltr'}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Jobs</title>
<link rel="stylesheet" href="/style.css">
<body><main><h1>Jobs</h1>${body}</main>
${query.includes('bare') ? '' : `<script src="/jobtail-backends.min.js" async></script><script src="/jobtail-element.min.js${query}" defer></script>`}
</body></html>`

/** `bodies`: each page's HTML, by its path. */
export async function startElementSite(bodies: Readonly<Record<string, string>>): Promise<ElementSite> {
  const jobs = createJobServer({ authorize: () => true })
  const held: (() => void)[] = []
  let open = 0
  const server = createServer((req, res) => {
    const { pathname, search } = new URL(req.url ?? '', 'http://page')
    const body = bodies[pathname]
    const send = (type: string, text: string | Buffer): void => void res.setHeader('content-type', type).end(text)
    if (pathname.startsWith('/jobs')) return
    if (body !== undefined) {
      res.setHeader('content-security-policy', POLICY)
      send('text/html', page(body, search))
    } else if (pathname === '/style.css') send('text/css', STYLE)
    else if (/^\/[\w.-]+\.js$/.test(pathname)) {
      const script = (): void => send('text/javascript', readFileSync(join(root, 'dist', pathname)))
      if (search === '?held') held.push(script)
      else script()
    } else res.writeHead(404).end()
  })
  jobs.attach(server)
  server.on('request', ({ url }, res) => count(url, res))
  server.on('upgrade', ({ url }, socket) => count(url, socket))
  function count(url: string | undefined, connection: NodeJS.EventEmitter): void {
    if (!url?.startsWith('/jobs')) return
    open += 1
    connection.once('close', () => {
      open -= 1
    })
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // as: it listens on TCP
    jobs,
    open: () => open,
    release() {
      for (const send of held.splice(0)) send()
    },
    async close() {
      await jobs.close({ graceMs: 0 })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
