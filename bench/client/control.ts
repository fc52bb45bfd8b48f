/** Controls a browser without a driver. Its page requests the next measurement, runs it on another page, and reports the result. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { showPage } from '../../e2e/bare.ts'
import { type CpuMs, cpuSince, mainThreads } from './cpu.ts'
import type { Measured, Spec } from './spec.ts'

export interface Control {
  /** Lets the page measure at the origin of a server. Rejects with the page's error. */
  measure(origin: string, spec: Omit<Spec, 'control' | 'timeoutMs'>): Promise<Measured>
  close(): Promise<void>
}

interface Told {
  measured?: Measured
  error?: string
}

const TIMEOUT_MS = 30_000
/** Added to the page's own timeout, for loading and for a page that hangs. */
const GRACE_MS = 15_000

const html = `<!doctype html><title>Bench</title><link rel="icon" href="data:,"><script type="module">
location.replace(await (await fetch('/next')).text())
</script>`

export async function startControl(): Promise<Control> {
  /** The open request of the page that waits for its next measurement. */
  let idle = Promise.withResolvers<http.ServerResponse>()
  let ended = Promise.withResolvers<Told & { mainMs: number }>()
  let before: CpuMs = new Map()

  const server = http.createServer(async (req, res) => {
    const allowed = { 'access-control-allow-origin': '*', 'cache-control': 'no-store' }
    if (req.url === '/next') return idle.resolve(res)
    if (req.url === '/begin') before = mainThreads()
    else if (req.url === '/end') {
      const mainMs = cpuSince(before)
      ended.resolve({ ...((await json(req)) as Told), mainMs }) // as: what the page sends
    } else return void res.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' }).end(html)
    res.writeHead(204, allowed).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const origin = `http://localhost:${(server.address() as AddressInfo).port}` // as: it listens on TCP
  const browser = await showPage('chromium', `${origin}/`)

  async function within<T>(promise: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error('the page hangs')), TIMEOUT_MS + GRACE_MS)
    try {
      return await Promise.race([promise, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async measure(target, asked) {
      const page = await within(idle.promise)
      idle = Promise.withResolvers()
      ended = Promise.withResolvers()
      const spec: Spec = { ...asked, control: `${origin}/`, timeoutMs: TIMEOUT_MS }
      page.end(`${target}/run#${encodeURIComponent(JSON.stringify(spec))}`)
      const { measured, error, mainMs } = await within(ended.promise)
      if (!measured) throw new Error(error)
      return { ...measured, mainMs }
    },
    async close() {
      await browser.close()
      server.closeAllConnections()
      server.close()
    }
  }
}
