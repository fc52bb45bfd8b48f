import fastify from 'fastify'
import { onTestFinished } from 'vitest'
import { describeMount, listen } from './mount.ts'

function create() {
  const app = fastify({ forceCloseConnections: true })
  app.get('/page', () => 'the page')
  onTestFinished(() => app.close())
  return app
}

describeMount('Fastify, in a hook', {
  async mount(jobs) {
    const app = create()
    app.addHook('onRequest', (request, reply, done) => jobs.handle(request.raw, reply.raw, done))
    app.server.on('upgrade', jobs.upgrade)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { origin: await listen(app.server) }
  },
  elsewhere: /Route GET:\/missing not found/
})

describeMount('Fastify, whose server is attached to', {
  async mount(jobs) {
    const app = create()
    await app.listen({ port: 0, host: '127.0.0.1' })
    jobs.attach(app.server)
    return { origin: await listen(app.server) }
  },
  elsewhere: /Route GET:\/missing not found/
})
