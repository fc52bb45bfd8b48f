import { type Drained, patienceMs } from '../backpressured-writer.ts'
import { handleRequest, type ServerParts } from '../handler.ts'
import { longTimeout } from '../long-timeout.ts'
import { isStreamBody, type StreamBody } from '../request-context.ts'
import type { Runner } from '../run.ts'
import type { Settings } from '../server-options.ts'
import type { FetchContext } from '../types.ts'

/** The part of a URL before its path. */
const ORIGIN = /^[^:/?#]+:\/\/[^/?#]*/

/** Answers a request of the Fetch standard. Never rejects. */
export async function respondToFetch(request: Request, context: unknown, parts: ServerParts): Promise<Response> {
  const body = () => request.body ?? ''
  const reply = await handleRequest(
    { request, target: request.url.replace(ORIGIN, ''), source: context === undefined ? {} : { context }, signal: request.signal, body },
    { ...parts, runner: withWaitUntil(parts.runner, context) }
  )
  const { status, headers } = reply
  if (isStreamBody(reply.body)) return new Response(streamOf(reply.body, parts.settings), { status, headers })
  reply.delivery?.close() // the platform sends the body, and doesn't say when that is done
  return new Response(reply.body ?? null, { status, headers })
}

/** Passes the job that a request starts to `context.waitUntil`: a serverless platform may stop the process once the response is there. */
function withWaitUntil(runner: Runner, context: unknown): Runner {
  const { waitUntil }: FetchContext = Object(context)
  if (typeof waitUntil !== 'function') return runner
  const run: Runner['run'] = (...work) => {
    const running = runner.run(...work)
    waitUntil.call(context, running.then(ignore, ignore)) // the log says how the job has ended
    return running
  }
  return Object.create(runner, { run: { value: run } })
}

const ignore = (): void => {}

/** Makes a stream of a body that holds one piece at most. A reader that takes none for too long gets `bye`, and the stream ends. */
function streamOf(body: StreamBody, { heartbeatMs }: Settings): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  /** The reader has asked for a piece (`pull`) since the last one was written. */
  let isPulled = false
  /** Set while a write waits for the reader. */
  let endWait = (_room: boolean): void => {}
  let isSlow = false
  let isFinished = false

  function finish(): void {
    isFinished = true
    endWait(true)
    body.close()
  }

  function write(controller: ReadableStreamDefaultController<Uint8Array>, piece: string): Drained {
    if (isFinished) return true
    isPulled = false
    const bytes = encoder.encode(piece)
    controller.enqueue(bytes) // may call `pull` within
    if (isPulled || isSlow) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancelTimeout = longTimeout(patienceMs(bytes.length, heartbeatMs), () => endWait(false))
    endWait = (room) => {
      isSlow ||= !room
      cancelTimeout()
      resolve(room)
    }
    return promise
  }

  return new ReadableStream(
    {
      start(controller) {
        body.onDestroy(() => {
          if (isFinished) return
          finish()
          controller.error(new Error('the server has destroyed the connection: it is closing, and the reader did not leave in time'))
        })
        const end = () => {
          if (isFinished) return
          finish()
          controller.close()
        }
        body.writeLoop((piece) => write(controller, piece), end)
      },
      pull() {
        isPulled = true
        endWait(true)
      },
      cancel: finish
    },
    { highWaterMark: 0 }
  )
}
