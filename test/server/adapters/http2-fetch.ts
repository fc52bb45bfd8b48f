/** A `fetch` over one HTTP/2 session, since Node's own speaks only HTTP/1.1. */

import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'

export interface Http2Fetch {
  fetch: typeof fetch
  /** How many requests are open, and how many were at most. */
  readonly open: number
  readonly most: number
  close(): void
}

export function http2Fetch(origin: string, ca: string): Http2Fetch {
  const session: ClientHttp2Session = http2.connect(origin, { ca })
  session.on('error', () => {}) // each request gets the error too
  let open = 0
  let most = 0

  async function request(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const asked = new Request(input, init)
    asked.signal.throwIfAborted()
    const { pathname, search } = new URL(asked.url)
    const stream = session.request({ ':method': asked.method, ':path': pathname + search, ...Object.fromEntries(asked.headers) })
    open += 1
    most = Math.max(most, open)
    stream.on('close', () => {
      open -= 1
    })
    const abort = (): void => void stream.destroy(asked.signal.reason)
    asked.signal.addEventListener('abort', abort)
    stream.on('close', () => asked.signal.removeEventListener('abort', abort))
    const response = responseOf(stream)
    if (!stream.writableEnded) stream.end(Buffer.from(await asked.arrayBuffer()))
    return response
  }

  return {
    fetch: request,
    get open() {
      return open
    },
    get most() {
      return most
    },
    close: () => session.destroy()
  }
}

function responseOf(stream: ClientHttp2Stream): Promise<Response> {
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', () => reject(new TypeError('the stream was closed before its answer')))
    stream.on('response', (fields) => {
      const { ':status': status = 0, ...rest } = fields
      const headers = new Headers()
      for (const [name, value] of Object.entries(rest)) if (!name.startsWith(':')) headers.set(name, String(value))
      const hasBody = status !== 204 && status !== 304
      if (!hasBody) stream.resume()
      // as: Node and the DOM have types of their own for the same class
      resolve(new Response(hasBody ? (Readable.toWeb(stream) as ReadableStream<Uint8Array<ArrayBuffer>>) : null, { status, headers }))
    })
  })
}
