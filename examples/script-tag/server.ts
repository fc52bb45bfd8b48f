import { createReadStream } from 'node:fs'
import http from 'node:http'
import { createJobServer } from 'jobtail/server'
import { authorize, idOf, signIn } from './auth.ts'
import { makeReport } from './report.ts'

const PORT = Number(process.env.PORT ?? 3000)
/** How long running jobs may go on after SIGTERM. Keep it below the time that your platform gives a process, often 30 s. */
const DRAIN_MS = 20_000

/** The page, and the bundle that it loads. A CDN has that too: https://cdn.jsdelivr.net/npm/jobtail/dist/jobtail.min.js */
const files = new Map([
  ['/', { type: 'text/html; charset=utf-8', file: new URL('index.html', import.meta.url) }],
  ['/jobtail.min.js', { type: 'text/javascript', file: new URL('dist/jobtail.min.js', import.meta.resolve('jobtail/package.json')) }]
])

const jobs = createJobServer({ authorize, idOf, start: makeReport })

const server = http.createServer((req, res) => {
  const found = files.get(req.url ?? '')
  if (req.method === 'POST' && req.url === '/login') res.writeHead(303, { 'Set-Cookie': signIn(), Location: '/' }).end()
  else if (req.method === 'GET' && found) createReadStream(found.file).pipe(res.writeHead(200, { 'Content-Type': found.type }))
  else res.writeHead(404).end()
})

// Answers everything below /jobs, WebSockets too, and leaves the rest to the server.
jobs.attach(server)

server.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', async () => {
  server.close() // new connections go to another node
  await jobs.close({ drainMs: DRAIN_MS })
  server.closeAllConnections()
})
