import http from 'node:http'
import { describeMount, listen } from './mount.ts'

const page = (_: unknown, res: http.ServerResponse): void => void res.end('the page')

describeMount('node:http, attached', {
  async mount(jobs) {
    const server = http.createServer()
    jobs.attach(server)
    server.on('request', (req, res) => {
      if (req.url === '/page') page(req, res)
    })
    return { origin: await listen(server) }
  }
})

describeMount('node:http, attached to a server that has a handler of its own', {
  async mount(jobs) {
    const server = http.createServer((req, res) => {
      res.statusCode = req.url === '/page' ? 200 : 404
      res.end(req.url === '/page' ? 'the page' : 'not here')
    })
    jobs.attach(server)
    return { origin: await listen(server) }
  },
  elsewhere: /not here/
})

describeMount('node:http, by hand, below a path', {
  basePath: '/api/v1/jobs',
  async mount(jobs) {
    const server = http.createServer((req, res) => jobs.handle(req, res, () => page(req, res)))
    server.on('upgrade', jobs.upgrade)
    return { origin: await listen(server) }
  }
})
