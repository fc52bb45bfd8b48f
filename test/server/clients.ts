import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

export type Fields = Record<string, unknown>

export interface Message {
  id?: string
  event?: string
  data: Fields
}

export interface EventStream {
  response: Response
  /** Everything received so far. */
  text(): string
  messages(): Message[]
  events(): Fields[]
  controls(): Fields[]
  ended: Promise<void>
  stop(): void
}

/** Reads an event stream line by line, without Jobtail's client. */
export async function openStream(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: abort.signal })
  let text = ''
  const ended = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  })()
  ended.catch(() => {}) // only a test that awaits it needs the error
  const messages = () =>
    text
      .split('\n\n')
      .slice(0, -1)
      .map(parseMessage)
      .filter((message) => message !== undefined)
  return {
    response,
    text: () => text,
    messages,
    events: () =>
      messages()
        .filter(({ event }) => event === undefined)
        .map(({ data }) => data),
    controls: () =>
      messages()
        .filter(({ event }) => event === 'control')
        .map(({ data }) => data),
    ended,
    stop: () => abort.abort()
  }
}

function parseMessage(block: string): Message | undefined {
  const fields = Object.fromEntries(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart()]))
  return fields.data === undefined ? undefined : { ...fields, data: JSON.parse(fields.data) }
}

export interface Socket {
  ws: WebSocket
  /** The parsed content of each message. */
  raw: unknown[]
  /** All frames: messages that are arrays count as several. */
  frames(): Fields[]
  events(): Fields[]
  controls(name?: string): Fields[]
  send(operation: unknown): void
  /** Resolves with the close code. */
  closed: Promise<number>
}

/** Reads a WebSocket without Jobtail's client. */
export function openSocket(url: string, { protocols = ['jobtail.v1'], headers = {} }: { protocols?: string[]; headers?: Record<string, string> } = {}): Socket {
  const ws = new WebSocket(url.replace(/^http/, 'ws'), protocols, { headers })
  onTestFinished(() => ws.terminate())
  const raw: unknown[] = []
  ws.on('message', (data) => raw.push(JSON.parse(String(data))))
  const closed = new Promise<number>((resolve, reject) => {
    ws.on('close', resolve)
    ws.on('error', reject)
  })
  closed.catch(() => {}) // only a test that awaits it needs the error
  const frames = () => raw.flat() as Fields[] // as: JSON objects, by the protocol
  return {
    ws,
    raw,
    frames,
    events: () => frames().filter((frame) => frame.control === undefined),
    controls: (name) => frames().filter(({ control }) => control !== undefined && (name === undefined || control === name)),
    send: (operation) => ws.send(typeof operation === 'string' ? operation : JSON.stringify(operation)),
    closed
  }
}
