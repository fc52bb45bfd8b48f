import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { extname } from 'node:path'
import { createJobServer } from 'jobtail/server'
import { authorize, idOf, signIn } from './auth.ts'
import { makeReport } from './report.ts'

const PORT = Number(process.env.PORT ?? 3000)
/** How long running jobs may go on after SIGTERM. Keep it below the time that your platform gives a process, often 30 s. */
const DRAIN_MS = 20_000

/** What `vite build` has made. */
const built = new URL('dist/', import.meta.url)
const types = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript']
])

const jobs = createJobServer({ authorize, idOf, start: makeReport })

const server = http.createServer(async (req, res) => {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost')
  if (req.method === 'POST' && pathname === '/login') return res.writeHead(303, { 'Set-Cookie': signIn(), Location: '/' }).end()
  try {
    const file = new URL(`.${pathname === '/' ? '/index.html' : pathname}`, built)
    const body = await readFile(file)
    res.writeHead(200, { 'Content-Type': types.get(extname(file.pathname)) ?? 'application/octet-stream' }).end(body)
  } catch {
    res.writeHead(404).end()
  }
})

// Answers everything below /jobs, WebSockets too, and leaves the rest to the server.
jobs.attach(server)

server.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close() // new connections go to another node
  await jobs.close({ drainMs: DRAIN_MS })
  server.closeAllConnections()
})
