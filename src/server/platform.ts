/** What differs between the runtimes that serve jobs: Node has faster ways, which others lack. Nothing here is imported from Node. */

/** The members that not every runtime has. */
const { Buffer: buffers, setImmediate: immediate } = globalThis as Partial<Pick<typeof globalThis, 'Buffer' | 'setImmediate'>> // as: see above

const encoder = new TextEncoder()

/** How many bytes of UTF-8 the text has. */
export const byteLength: (text: string) => number = buffers ? (text) => buffers.byteLength(text) : (text) => encoder.encode(text).length

/** The text as UTF-8. */
export const bytesOfText = (text: string): Uint8Array<ArrayBuffer> => (buffers ? buffers.from(text) : encoder.encode(text))

/** Resolves once what is due now has been done: I/O that has come in, where the runtime can tell. */
export const nextTurn: () => Promise<void> = () => new Promise((resolve) => (immediate ? immediate(resolve) : setTimeout(resolve)))

/** `count` random bytes in hexadecimal. */
export const randomHex = (count: number): string => hex(crypto.getRandomValues(new Uint8Array(count)))

/** SHA-256 of the text, as base64url without padding (RFC 4648 §5). */
export async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)))
  return btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
