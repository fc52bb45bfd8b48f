/** A `fetch` that answers as the test says, one answer per request, and records the requests. */

import type { Reading } from '../../src/protocol/frames.ts'

export interface Asking {
  url: URL
  headers: Headers
  init: RequestInit
  /** By the clock of `performance`. */
  at: number
}

type Scripted = Response | Promise<Response> | Error | 'hang'

export interface ScriptedFetch {
  fetch: typeof fetch
  asked: Asking[]
}

/** Gives its answers in turn. After the last one it hangs until the signal aborts, as in a browser. */
export function scriptFetch(...answers: Scripted[]): ScriptedFetch {
  const asked: Asking[] = []
  return {
    asked,
    fetch(input, init = {}) {
      asked.push({ url: new URL(String(input)), headers: new Headers(init.headers), init, at: performance.now() })
      const answer = answers.shift() ?? 'hang'
      if (answer instanceof Response) return Promise.resolve(answer)
      if (answer instanceof Error) return Promise.reject(answer)
      return new Promise((resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        if (answer !== 'hang') void answer.then(resolve)
      })
    }
  }
}

/** A body of these pieces. With an error at its end, a body that breaks off. */
export function bodyOf(pieces: readonly (string | Uint8Array<ArrayBuffer>)[], error?: Error): ReadableStream<Uint8Array<ArrayBuffer>> {
  const rest = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece))
  return new ReadableStream(
    {
      pull(controller) {
        const piece = rest.shift()
        if (piece) controller.enqueue(piece)
        else if (error) controller.error(error)
        else controller.close()
      }
    },
    { highWaterMark: 0 }
  )
}

/** An answer for job 42 with the events from `from` + 1 to `to`. */
export function reading(from: number, to = from, more: Partial<Reading> & { done?: boolean } = {}): Response {
  const { done = false, ...fields } = more
  const member = { job: '42', epoch: 'e', seq: from, from: `e-${from}`, cursor: `e-${to}`, status: 'running' as const, done }
  const events = Array.from({ length: to - from }, (_, index) => event(from + index + 1))
  return Response.json({ protocol: 1, heartbeatMs: 15_000, pollMs: 2000, more: false, jobs: [member], events, ...fields })
}

export const event = (seq: number, data: unknown = {}) => ({ id: `e-${seq}`, seq, job: '42', type: 'progress', time: '2026-11-21T01:02:03.456Z', data })
