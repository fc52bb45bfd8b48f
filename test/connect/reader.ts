/** A link of a backend of Connect that a test reads, against a service of the test's own. */

import type http from 'node:http'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { onTestFinished } from 'vitest'
import { type FollowRequest, FollowResponseSchema, type FrameSchema } from '../../src/connect/jobtail/v1/jobs_pb.ts'
import { type ConnectOptions, connect, JobService } from '../../src/connect.ts'
import type { OpenRequest } from '../../src/types.ts'
import { serve } from '../backends/foreign-server.ts'
import { openReader, type Reader } from '../transports/reader.ts'
import { web } from './serve.ts'

/** A frame of the service. */
export type Message = MessageInitShape<typeof FrameSchema>

/** The protocols of a page. */
export type Name = keyof typeof web
export const names = Object.keys(web) as Name[] // as: `Object.keys` forgets the names

export const TYPES: Record<Name, string> = { Connect: 'application/connect+proto', 'gRPC-Web': 'application/grpc-web+proto' }
export const HELLO: Message = { frame: { case: 'hello', value: { protocol: 1, heartbeatMs: 15_000n, mux: 128 } } }
export const SUBSCRIBED: Message = { frame: { case: 'subscribed', value: { job: '42', epoch: 'e', seq: 0n, cursor: 'e-0', status: 'running' } } }

/** One message, with these frames, in its envelope. */
export function enveloped(...frames: Message[]): Buffer {
  const bytes = toBinary(FollowResponseSchema, create(FollowResponseSchema, { frames }))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** A reader of what this listener answers. */
export async function readerOf(
  name: Name,
  listener: http.RequestListener,
  options: Partial<ConnectOptions> = {},
  more: Partial<OpenRequest> = {}
): Promise<Reader> {
  const { url, close } = await serve(listener, '/')
  const [stream] = connect({ transport: web[name], ...options }).transports
  if (!stream) throw new Error('the backend has no transport')
  const reader = openReader(stream, new URL(url), undefined, more)
  onTestFinished(async () => {
    reader.abort()
    await close()
  })
  return reader
}

/** A service whose `follow` is the test's own: each frame is a message. */
export const served = (follow: (request: FollowRequest, context: HandlerContext) => AsyncGenerator<Message>): http.RequestListener =>
  connectNodeAdapter({
    routes: (router) =>
      void router.service(JobService, {
        async *follow(request, context) {
          for await (const frame of follow(request, context)) yield { frames: [frame] }
        }
      })
  })
