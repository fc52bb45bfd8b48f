/** Functions that Node has in a faster form than other runtimes. Imports nothing from Node, so that `jobtail/server/fetch` runs without it. */

const { Buffer: NodeBuffer, setImmediate: nodeSetImmediate } = globalThis as Partial<Pick<typeof globalThis, 'Buffer' | 'setImmediate'>> // as: other runtimes lack them

const { process: nodeProcess } = globalThis as Partial<Pick<typeof globalThis, 'process'>> // as: other runtimes lack it

const encoder = new TextEncoder()

/** The length of a text in UTF-8, in bytes. */
export const byteLength: (text: string) => number = NodeBuffer ? (text) => NodeBuffer.byteLength(text) : (text) => encoder.encode(text).length

/** Encodes a text as UTF-8. */
export const bytesOfText = (text: string): Uint8Array<ArrayBuffer> => (NodeBuffer ? NodeBuffer.from(text) : encoder.encode(text))

/** Resolves in the next turn of the event loop: after pending I/O callbacks, where the runtime has `setImmediate`. */
export const nextTurn: () => Promise<void> = () => new Promise((resolve) => (nodeSetImmediate ? nodeSetImmediate(resolve) : setTimeout(resolve)))

/** `count` random bytes in hexadecimal. */
export const randomHex = (count: number): string => hex(crypto.getRandomValues(new Uint8Array(count)))

/** A value that belongs to the code that a call runs: also after its awaits, and in the timers and callbacks that it sets. */
export interface CallContext<T> {
  /** `undefined` outside every `run`, and in a runtime without `AsyncLocalStorage`. */
  get(): T | undefined
  run<R>(value: T, call: () => R): R
}

export function createCallContext<T>(): CallContext<T> {
  const Storage = nodeProcess?.getBuiltinModule?.('async_hooks')?.AsyncLocalStorage
  if (!Storage) return { get: () => undefined, run: (_value, call) => call() }
  const storage = new Storage<T>()
  return { get: () => storage.getStore(), run: (value, call) => storage.run(value, call) }
}

/** The SHA-256 of a text, as base64url without padding (RFC 4648 §5). */
export async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)))
  return btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
