/** The chat and resume routes that the AI SDK documents, with resumable-stream on a Redis. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createUIMessageStream, createUIMessageStreamResponse, UI_MESSAGE_STREAM_HEADERS, type UIMessageChunk } from 'ai'
import { createClient } from 'redis'
import { createResumableStreamContext, type Publisher, type Subscriber } from 'resumable-stream/generic'
import { createQueue } from '../../src/async/queue.ts'
import { startRedis } from '../server/redis-server.ts'
import type { RecordedJob } from './foreign-server.ts'

export interface AiSdkServer {
  url: string
  /** Starts a chat whose first reader leaves at once. Its producer goes on. */
  chat(id: string): Promise<{ write(...chunks: (UIMessageChunk | Error)[]): void; end(): Promise<void> }>
  /** A chat whose steps are pieces of text. Its record is what the producer wrote: the server keeps nothing after the end. */
  job(): Promise<RecordedJob>
  /** Chats whose end the application does not record. */
  readonly stale: Set<string>
  /** The finished messages that the application has stored, by chat. */
  readonly messages: Map<string, unknown>
  close(): Promise<void>
}

export async function startAiSdk(): Promise<AiSdkServer> {
  const redis = await startRedis()
  const publisher = createClient({ url: redis.url })
  const subscriber = createClient({ url: redis.url })
  await Promise.all([publisher.connect(), subscriber.connect()])
  const streams = createResumableStreamContext({
    waitUntil: (promise) => void promise,
    publisher: publisher as unknown as Publisher, // as: the package declares the clients of Redis 4
    subscriber: subscriber as unknown as Subscriber // as: the same
  })
  const active = new Set<string>()
  const stale = new Set<string>()
  const messages = new Map<string, unknown>()

  async function answer(path: string): Promise<Response> {
    const [, id = '', what] = /^\/api\/chat\/([^/]+)(\/stream)?$/.exec(path) ?? []
    if (!what) return Response.json(messages.get(id) ?? { state: active.has(id) ? 'streaming' : 'none' })
    if (!active.has(id)) return new Response(null, { status: 204 })
    return new Response(await streams.resumeExistingStream(`s-${id}`), { headers: UI_MESSAGE_STREAM_HEADERS })
  }

  const server = http.createServer(async (req, res) => {
    const response = await answer(req.url ?? '').catch((error) => new Response(`${error}`, { status: 500 }))
    res.writeHead(response.status, Object.fromEntries(response.headers)).flushHeaders()
    if (!response.body) return void res.end()
    Readable.fromWeb(response.body as ReadableStream) // as: Node's and the DOM's are the same
      .on('error', () => res.destroy())
      .pipe(res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  let jobs = 0
  const chat: AiSdkServer['chat'] = async (id) => {
    const inbox = createQueue<UIMessageChunk | Error>()
    const ended = Promise.withResolvers<void>()
    const stream = createUIMessageStream({
      async execute({ writer }) {
        for (let item = await inbox.next(); !item.done; item = await inbox.next()) {
          if (item.value instanceof Error) throw item.value
          writer.write(item.value)
        }
      },
      onEnd() {
        if (!stale.has(id)) active.delete(id)
        ended.resolve()
      }
    })
    const created = Promise.withResolvers<void>()
    const response = createUIMessageStreamResponse({
      stream,
      async consumeSseStream({ stream }) {
        await streams.createNewResumableStream(`s-${id}`, () => stream)
        active.add(id)
        created.resolve()
      }
    })
    await created.promise
    await response.body?.cancel() // the page has left
    return {
      write(...chunks) {
        for (const chunk of chunks) inbox.push(chunk)
      },
      async end() {
        inbox.end()
        await ended.promise
      }
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`, // as: it listens on a port
    stale,
    messages,
    chat,
    async job() {
      const id = `job-${++jobs}`
      const { write, end } = await chat(id)
      const steps: number[] = []
      write({ type: 'start' }, { type: 'text-start', id: 't' })
      return {
        id,
        step(n) {
          steps.push(n)
          write({ type: 'text-delta', id: 't', delta: `${n}` })
        },
        end() {
          write({ type: 'text-end', id: 't' }, { type: 'finish', finishReason: 'stop' })
          return end()
        },
        record: () => steps
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await Promise.all([publisher.close(), subscriber.close()]) // once what they have sent is answered
      await redis.remove()
    }
  }
}
