import { alarm } from '../alarm.ts'
import type { Outflow } from '../call.ts'
import { answer, type Parts } from '../handler.ts'
import { patienceMs } from '../outlet.ts'
import type { Settings } from '../types.ts'

/** Answers a request of the Fetch standard; never rejects. */
export async function respondToFetch(request: Request, parts: Parts): Promise<Response> {
  const body = () => request.body ?? ''
  const found = await answer({ request, address: undefined, signal: request.signal, body }, parts)
  const { status, headers } = found
  if (typeof found.body === 'object') return new Response(streamOf(found.body, parts.settings), { status, headers })
  found.delivery?.close() // what becomes of it from here on is the platform's
  return new Response(found.body ?? null, { status, headers })
}

/** Holds one piece at most. One that nobody takes for too long ends the stream. */
function streamOf(body: Outflow, { heartbeatMs }: Settings): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let cancelStall = () => {}
  let over = false

  function finish(): void {
    over = true
    cancelStall()
    body.close()
  }

  async function giveUp(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    over = true
    body.bye('slow', 1000)
    const bye = await body.next()
    if (bye !== undefined) controller.enqueue(encoder.encode(bye))
    controller.close()
    finish()
  }

  return new ReadableStream(
    {
      start(controller) {
        body.cut.addEventListener('abort', () => {
          if (over) return
          finish()
          controller.error(new Error('the server has ended the connection'))
        })
      },
      async pull(controller) {
        cancelStall()
        if (over) return
        const text = await body.next()
        if (over) return
        if (text === undefined) {
          finish()
          return controller.close()
        }
        const bytes = encoder.encode(text)
        cancelStall = alarm(patienceMs(bytes.length, heartbeatMs), () => void giveUp(controller))
        controller.enqueue(bytes)
      },
      cancel: finish
    },
    { highWaterMark: 0 }
  )
}
