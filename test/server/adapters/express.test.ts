import http from 'node:http'
import compression from 'compression'
import express from 'express'
import { describeMount, listen } from './mount.ts'

describeMount('Express, as middleware', {
  async mount(jobs) {
    const app = express()
    app.use(jobs.handle)
    app.get('/page', (_, res) => void res.send('the page'))
    const server = http.createServer(app)
    server.on('upgrade', jobs.upgrade)
    return { origin: await listen(server) }
  },
  elsewhere: /Cannot GET \/missing/
})

describeMount('Express, below a path, behind compression and a body parser', {
  basePath: '/api/jobs',
  async mount(jobs) {
    const app = express()
    app.use(compression({ threshold: 0 }), express.json())
    app.get('/page', (_, res) => void res.send('the page'))
    app.use('/api', jobs.handle)
    const server = http.createServer(app)
    server.on('upgrade', jobs.upgrade)
    return { origin: await listen(server) }
  },
  elsewhere: /Cannot GET \/missing/
})

describeMount('Express, whose server is attached to', {
  async mount(jobs) {
    const app = express()
    app.get('/page', (_, res) => void res.send('the page'))
    const server = app.listen(0, '127.0.0.1')
    jobs.attach(server)
    return { origin: await listen(server) }
  },
  elsewhere: /Cannot GET \/missing/
})
