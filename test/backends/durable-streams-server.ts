/** The reference server of Durable Streams. A stream is a job. */

import { DurableStreamTestServer } from '@durable-streams/server'
import { expect } from 'vitest'
import type { RecordedJob } from './foreign-server.ts'

export interface DurableServer {
  url: string
  /** Creates a stream. */
  create(): Promise<string>
  send(method: string, id: string, body?: unknown, headers?: Record<string, string>): Promise<void>
  append(id: string, ...messages: unknown[]): Promise<void>
  /** Closes a stream, with these as its last messages. */
  end(id: string, ...last: unknown[]): Promise<void>
  job(): Promise<RecordedJob>
  close(): Promise<void>
}

export async function startDurable(): Promise<DurableServer> {
  const server = new DurableStreamTestServer({ port: 0, host: '127.0.0.1', longPollTimeout: 300 })
  const url = `${await server.start()}/jobs`
  let streams = 0

  const send: DurableServer['send'] = async (method, id, body, headers = {}) => {
    const given = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${url}/${id}`, { method, headers: { 'content-type': 'application/json', ...headers }, ...given })
    expect(response.ok, `${method} ${id}: ${response.status}`).toBe(true)
  }
  const append: DurableServer['append'] = (id, ...messages) => send('POST', id, messages)
  const end: DurableServer['end'] = (id, ...last) => send('POST', id, last.length > 0 ? last : undefined, { 'stream-closed': 'true' })

  async function create(): Promise<string> {
    const id = `job-${++streams}`
    await send('PUT', id)
    return id
  }

  async function record(id: string): Promise<number[]> {
    const messages = (await (await fetch(`${url}/${id}?offset=-1`)).json()) as { step: number }[] // as: appended below
    return messages.map(({ step }) => step)
  }

  return {
    url,
    create,
    send,
    append,
    end,
    async job() {
      const id = await create()
      return { id, step: (step) => append(id, { step }), end: () => end(id), record: () => record(id) }
    },
    async close() {
      await server.stop()
    }
  }
}
