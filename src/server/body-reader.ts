import { busy, HttpError, tooLarge } from './http-error.ts'
import { longTimeout } from './long-timeout.ts'
import { byteLength } from './platform.ts'
import type { Settings } from './server-options.ts'

/** All bodies that are being read together may hold as much memory as this many of the largest. */
const MAX_BODIES_IN_MEMORY = 64

export interface BodyReader {
  /**
   * Resolves with the body as text. Takes text as it is, where something in front has read the body already. Throws an `HttpError`: 413 for a body of more than
   * `maxBodyBytes`, 408 for one that isn't there after `bodyTimeoutMs`, 503 where all bodies together need too much memory.
   */
  read(body: AsyncIterable<Uint8Array> | string): Promise<string>
}

/** Reads the bodies of POST requests within bounds of size, time and memory. */
export function createBodyReader({ maxBodyBytes, bodyTimeoutMs }: Pick<Settings, 'maxBodyBytes' | 'bodyTimeoutMs'>): BodyReader {
  let bytesInMemory = 0

  async function collect(chunks: AsyncIterator<Uint8Array>, timeout: Promise<never>): Promise<string> {
    const decoder = new TextDecoder()
    let text = ''
    let size = 0
    try {
      for (;;) {
        const { value, done } = await Promise.race([chunks.next(), timeout])
        if (done) return text + decoder.decode()
        size += value.length
        bytesInMemory += value.length
        if (size > maxBodyBytes) throw tooLarge(maxBodyBytes)
        if (bytesInMemory > maxBodyBytes * MAX_BODIES_IN_MEMORY) throw busy(503, 'the server reads too many large bodies at once', 1000)
        text += decoder.decode(value, { stream: true })
      }
    } finally {
      bytesInMemory -= size
    }
  }

  return {
    async read(body) {
      if (typeof body === 'string') {
        if (byteLength(body) > maxBodyBytes) throw tooLarge(maxBodyBytes)
        return body
      }
      const { promise: late, reject } = Promise.withResolvers<never>()
      // Without a code, 408 speaks for the path, not for the job (PROTOCOL.md §7): clients try again.
      const cancel = longTimeout(bodyTimeoutMs, () =>
        reject(new HttpError(408, undefined, `body: expected all of it within ${bodyTimeoutMs} ms (bodyTimeoutMs)`))
      )
      const chunks = body[Symbol.asyncIterator]()
      try {
        return await collect(chunks, late)
      } catch (error) {
        chunks.return?.().catch(() => {}) // not awaited: it would wait for a pending `next()`, which may never settle
        throw error
      } finally {
        cancel()
      }
    }
  }
}
