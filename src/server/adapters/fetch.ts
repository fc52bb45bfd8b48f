import { patienceMs, type Room } from '../backpressured-writer.ts'
import { answer, type Parts } from '../handler.ts'
import { longTimeout } from '../long-timeout.ts'
import { isStreamBody, type StreamBody } from '../request-context.ts'
import type { Runner } from '../run.ts'
import type { FetchContext, Settings } from '../types.ts'

/** Of a URL, what stands before the path. */
const ORIGIN = /^[^:/?#]+:\/\/[^/?#]*/

/** Answers a request of the Fetch standard; never rejects. */
export async function respondToFetch(request: Request, context: unknown, parts: Parts): Promise<Response> {
  const body = () => request.body ?? ''
  const found = await answer(
    { request, target: request.url.replace(ORIGIN, ''), source: context === undefined ? {} : { context }, signal: request.signal, body },
    { ...parts, runner: waitedFor(parts.runner, context) }
  )
  const { status, headers } = found
  if (isStreamBody(found.body)) return new Response(streamOf(found.body, parts.settings), { status, headers })
  found.delivery?.close() // what becomes of it from here on is the platform's
  return new Response(found.body ?? null, { status, headers })
}

/** Tells the platform of the work that a request starts: once the answer is there, it waits for nothing else. */
function waitedFor(runner: Runner, context: unknown): Runner {
  const { waitUntil }: FetchContext = Object(context)
  if (typeof waitUntil !== 'function') return runner
  const run: Runner['run'] = (...work) => {
    const running = runner.run(...work)
    waitUntil.call(context, running.then(ignore, ignore)) // how the job ends stands in its log
    return running
  }
  return Object.create(runner, { run: { value: run } }) // as: what it inherits is the runner's
}

const ignore = (): void => {}

/** Holds one piece at most. One that nobody takes for too long ends the stream. */
function streamOf(body: StreamBody, { heartbeatMs }: Settings): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  /** The reader waits for a piece. */
  let isAsked = false
  /** Set where the writer waits for the reader. */
  let settle = (_room: boolean): void => {}
  let isSlow = false
  let over = false

  function finish(): void {
    over = true
    settle(true)
    body.close()
  }

  function write(controller: ReadableStreamDefaultController<Uint8Array>, piece: string): Room {
    if (over) return true
    isAsked = false
    const bytes = encoder.encode(piece)
    controller.enqueue(bytes) // may ask for the next one
    if (isAsked || isSlow) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancelStall = longTimeout(patienceMs(bytes.length, heartbeatMs), () => settle(false))
    settle = (room) => {
      isSlow ||= !room
      cancelStall()
      resolve(room)
    }
    return promise
  }

  return new ReadableStream(
    {
      start(controller) {
        body.onCut(() => {
          if (over) return
          finish()
          controller.error(new Error('the server has ended the connection'))
        })
        const end = () => {
          if (over) return
          finish()
          controller.close()
        }
        body.writeLoop((piece) => write(controller, piece), end)
      },
      pull() {
        isAsked = true
        settle(true)
      },
      cancel: finish
    },
    { highWaterMark: 0 }
  )
}
