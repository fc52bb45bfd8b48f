import { busy, HttpError, tooLarge } from './http-error.ts'
import { longTimeout } from './long-timeout.ts'
import { byteLength } from './platform.ts'
import type { Settings } from './types.ts'

/** All bodies under way hold no more than so many of the largest. */
const MOST_AT_ONCE = 64

export interface Bodies {
  /** The body as text, from what comes of it, or as somebody else has read it. Throws the refusal where it is too large, or too slow. */
  read(body: AsyncIterable<Uint8Array> | string): Promise<string>
}

/** Reads the bodies of POSTs, and bounds each, its time, and what all of them hold together. */
export function createBodies({ maxBodyBytes, bodyTimeoutMs }: Pick<Settings, 'maxBodyBytes' | 'bodyTimeoutMs'>): Bodies {
  let held = 0

  async function collect(chunks: AsyncIterator<Uint8Array>, late: Promise<never>): Promise<string> {
    const decoder = new TextDecoder()
    let text = ''
    let size = 0
    try {
      for (;;) {
        const { value, done } = await Promise.race([chunks.next(), late])
        if (done) return text + decoder.decode()
        size += value.length
        held += value.length
        if (size > maxBodyBytes) throw tooLarge(maxBodyBytes)
        if (held > maxBodyBytes * MOST_AT_ONCE) throw busy(503, 'too much is being sent at once', 1000)
        text += decoder.decode(value, { stream: true })
      }
    } finally {
      held -= size
    }
  }

  return {
    async read(body) {
      if (typeof body === 'string') {
        if (byteLength(body) > maxBodyBytes) throw tooLarge(maxBodyBytes)
        return body
      }
      const { promise: late, reject } = Promise.withResolvers<never>()
      // 408 speaks for the path, not for the job (PROTOCOL.md §7): clients ask again.
      const cancel = longTimeout(bodyTimeoutMs, () => reject(new HttpError(408, undefined, `body: expected within ${bodyTimeoutMs} ms`)))
      const chunks = body[Symbol.asyncIterator]()
      try {
        return await collect(chunks, late)
      } catch (error) {
        chunks.return?.().catch(() => {}) // not awaited: it queues behind a `next()` that may never come
        throw error
      } finally {
        cancel()
      }
    }
  }
}
