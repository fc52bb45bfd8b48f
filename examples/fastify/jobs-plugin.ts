import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { JobServer } from 'jobtail/server'

export interface JobsPluginOptions {
  /** Its `basePath` has to be the prefix that the plugin is registered with. */
  jobs: JobServer
  /** How long running jobs may go on once the app is being closed. */
  drainMs: number
}

/** Serves jobs below its prefix, and closes their server with the app. */
export const jobsPlugin: FastifyPluginAsync<JobsPluginOptions> = async (app, { jobs, drainMs }) => {
  function handle(request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack() // the answer may be a stream that lasts for hours
    jobs.handle(request.raw, reply.raw)
  }

  // The job server reads bodies itself, with its own limits. This concerns no route outside of the plugin.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))

  app.all('/', handle)
  app.all('/*', handle)

  // WebSockets come by this event, for which Fastify runs no hooks.
  app.server.on('upgrade', jobs.upgrade)

  app.addHook('preClose', () => jobs.close({ drainMs }))
}
